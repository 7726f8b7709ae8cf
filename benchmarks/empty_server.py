"""What pos runs on, with an application that does nothing: `python -m benchmarks.empty_server PORT`."""

import sys

import uvicorn
from fastapi import FastAPI, Request, Response


def create() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.post("/")
    async def take(request: Request) -> Response:
        await request.body()
        return Response(status_code=201, content=b"{}", media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        create(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
