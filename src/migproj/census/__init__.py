"""From the person records and tables of a census to checked rounds, and children ever born.

The records are read by DuckDB, and the codebooks of IPUMS by ipumspy: the extra ``io``.
"""

from migproj.census._request import Records
from migproj.census.children import children_ever_born
from migproj.census.ipums import read_ipums
from migproj.census.records import tabulate
from migproj.census.tables import round

__all__ = ["Records", "children_ever_born", "read_ipums", "round", "tabulate"]
