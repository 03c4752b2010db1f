"""Helpers of the scripts in jobs/: everything that touches text, downloads or model files.

A script stays a command line; what it does is here, one idea a module. Nothing here runs inside a search.
"""

VERSION = "0.1.0"
