"""Makes the picture of the README: ``python docs/_ext/readme_picture.py``."""

import warnings
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt

import migproj as mp

warnings.filterwarnings("ignore", category=mp.DataQualityWarning)

start, end = (mp.datasets.load(f"new_england_{year}")["population"] for year in (1950, 1960))
nation = [mp.datasets.load(f"us_{year}")["population"] for year in (1950, 1960)]
white = [people.sel(race="white", sex=["male"], drop=True) for people in nation]
survival = mp.census_survival_ratios(*white)
net = mp.net_migration(start, end, survival, method="average")["net_migration"]
shown = net.sel(
    sex="male", birthplace=["New England", "Middle Atlantic", "South Atlantic", "Pacific"]
)

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.3), layout="constrained")
mp.plot.age_profile(shown / 1000, ax=left)
left.set(ylabel="thousands, 1950-60", xlabel="age in 1960")
left.set_title("Net migration of New England by birthplace", fontsize=10)
left.tick_params(axis="x", labelrotation=45)
first, last = (people.sum(["race", "birthplace"]) / 1e6 for people in nation)
mp.plot.pyramid(last, first, labels=["1960", "1950"], ax=right)
right.set(xlabel="millions per year of age")
right.set_title("Natives of the United States", fontsize=10)
figure.savefig(Path(__file__).parents[1] / "_static" / "readme.png", dpi=110)
