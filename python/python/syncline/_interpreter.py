"""Which interpreters this package runs in: those with a global interpreter lock."""

import sysconfig

__all__ = ["refuse_free_threading"]


def refuse_free_threading() -> None:
    """Raise :exc:`ImportError` in a free-threaded build.

    The core's objects have no locks of their own: two threads that share a client without the interpreter's lock would find
    it in use. No wheel is built for such an interpreter, and one built from source stops here.
    """
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        message = "syncline does not support free-threaded Python: use the standard build of the same version"
        raise ImportError(message)
