"""The one exception of this package, apart so that every module may raise it."""


class RunError(Exception):
    """A file that cannot be used; the text says which, what was expected, what was found."""
