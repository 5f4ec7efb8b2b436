"""Subscribe and print: one line for each message, through every reconnect.

Run it as ``python watch.py HOST PORT 'plant/#' [FILTER ...]``.
"""

import asyncio
import sys

from syncline.aio import Client


async def main(host: str, port: str, *filters: str) -> None:
    """Print until the program is stopped."""
    async with Client(host, int(port)) as client, client.subscribe(*filters, qos=1) as messages:
        print("watching", *filters, flush=True)
        async for message in messages:
            print(message.topic, message.payload.decode(errors="replace"), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
