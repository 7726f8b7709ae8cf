"""Start the till: `python -m edge_components.pos`."""

import gc

if __name__ == "__main__":
    gc.disable()  # imports leave nothing to collect: a tenth of the time until a till sells
    from .serving import main

    main()
