"""An asyncio MQTT client: no thread, no callback; every await can be cancelled without losing a message.

::

    async with Client("localhost") as client:
        await client.publish("plant/line1/state", "running", qos=1)
        async with client.subscribe("plant/+/state", qos=1) as states:
            async for message in states:
                print(message.topic, message.payload)
"""

from syncline.aio.client import Client
from syncline.aio.store import SqliteStore, Store
from syncline.aio.subscription import Subscription

__all__ = ["Client", "SqliteStore", "Store", "Subscription"]
