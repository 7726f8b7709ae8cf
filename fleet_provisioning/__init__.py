"""A till's life: the registry, kits for new tills, and how the tills are."""
