"""From census tables and records to checked rounds."""

from migproj.census.tables import round

__all__ = ["round"]
