"""Answer FlowSync requests: confirm whatever is asked.

Run it as ``python answer.py [HOST [PORT]]``, then ask: ``syncline flow call exampleNode '{"order": 42}'``.
"""

import asyncio
import sys

from syncline.aio import Client
from syncline.flowsync import JSON, Request, Responder


async def main(host: str = "localhost", port: str = "1883") -> None:
    """Answer until the program is stopped."""
    async with Client(host, int(port)) as client:
        responder = Responder(client)

        @responder.on("services/example1/exampleNode")
        async def confirm(request: Request) -> JSON:
            return {"confirmed": request.value}

        await responder.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
