"""Syncline for Python: an MQTT 3.1.1 and 5.0 client, and FlowSync requests that are held until they are answered.

=========================  ===========================================================================
:mod:`syncline.aio`        an asyncio client: connect, publish, subscribe, reconnect
:mod:`syncline.flowsync`   answer FlowSync requests, and make them
:mod:`syncline.core`       the protocol as objects without IO, for loops of your own
:mod:`syncline.packets`    single packets
:mod:`syncline.errors`     every exception of the package
=========================  ===========================================================================
"""

from syncline._interpreter import refuse_free_threading

refuse_free_threading()

from syncline._native import __version__  # noqa: E402

__all__ = ["__version__"]
