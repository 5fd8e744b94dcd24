"""A stand-in for the parts of Google Cloud that prestoctl talks to; see ../README.md."""
