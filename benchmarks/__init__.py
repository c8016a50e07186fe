"""Speed of migproj beside plain NumPy and the memory's bandwidth, as ratios in one run."""
