"""`python -m twin.link`: one process forwards for all tills of a twin and obeys its control socket."""

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twin.link.settings import Upstreams
from twin.link.till_proxy import TillProxy
from twin.machines import MachineError, network
from twin.machines.names import TillNames


class Control:
    """Answers one JSON line with one JSON line: {"do", "serial"?} with {"ok", ...} or {"error"}."""

    def __init__(self, work_dir: Path, upstreams: Upstreams) -> None:
        self._work_dir = work_dir
        self._upstreams = upstreams
        self._tills: dict[str, TillProxy] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        line = await reader.readline()
        try:
            answer = await self._obey(json.loads(line))
        except (MachineError, OSError, KeyError, ValueError) as error:
            answer = {"error": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    async def _obey(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["do"]:
            case "status":
                tills = {serial: asdict(till.status()) for serial, till in self._tills.items()}
                return {"ok": True, "upstreams": asdict(self._upstreams), "tills": tills}
            case "add":
                return asdict((await self._add(request["serial"])).status())
            case "remove":
                await self._till(request["serial"]).stop()
                del self._tills[request["serial"]]
            case "cut":
                await self._till(request["serial"]).cut()
            case "restore":
                await self._till(request["serial"]).restore()
            case other:
                raise ValueError(f"the link knows no request {other!r}")
        return {"ok": True}

    async def _add(self, serial: str) -> TillProxy:
        names = TillNames(self._work_dir, serial)
        await asyncio.to_thread(network.ensure, names)
        known = self._tills.get(serial)
        if known is not None and not known.stale:
            return known
        lan_port = 0
        if known is not None:
            lan_port = known.status().lan_port
            await known.stop()
        self._tills[serial] = TillProxy(names, self._upstreams)
        await self._tills[serial].start(lan_port)
        return self._tills[serial]

    def _till(self, serial: str) -> TillProxy:
        if serial not in self._tills:
            raise ValueError(f"the link has no till {serial}: bring it up first.")
        return self._tills[serial]


async def _serve(control: Control, socket_path: Path) -> None:
    server = await asyncio.start_unix_server(control.serve, socket_path)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="twin.link")
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--control", type=Path, required=True)
    for name in ("gateway", "iot", "mqtt"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    upstreams = Upstreams(gateway=given.gateway, iot=given.iot, mqtt=given.mqtt)
    asyncio.run(_serve(Control(given.work_dir, upstreams), given.control))


if __name__ == "__main__":
    main()
