"""Pictures (extra ``plot``): each function draws on matplotlib axes and returns them.

Matplotlib is loaded by the first picture, not by importing this.
"""

from migproj.plot._flows import flow_chord, flow_sankey
from migproj.plot._heat import heat_map
from migproj.plot._profiles import age_profile, sex_ratios, stock_lines
from migproj.plot._pyramid import pyramid
from migproj.plot._quality import age_quality

__all__ = [
    "age_profile",
    "age_quality",
    "flow_chord",
    "flow_sankey",
    "heat_map",
    "pyramid",
    "sex_ratios",
    "stock_lines",
]
