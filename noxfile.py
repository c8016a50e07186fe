"""Every check, in the environment nox runs in: pip install -e ".[dev]", then nox."""

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "jitless", "bounds", "doctests", "docs", "bench", "tests"]


@nox.session
def lint(session):
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session):
    session.run("mypy")


@nox.session
def jitless(session):
    """The kernels as plain Python."""
    session.run("python", "-m", "pytest", "-q", "tests/kernels", env={"NUMBA_DISABLE_JIT": "1"})


@nox.session
def bounds(session):
    """The compiled kernels with every index checked, in a cache of their own."""
    folder = session.create_tmp()
    env = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": folder}
    session.run("python", "-m", "pytest", "-q", "tests/kernels", env=env)


@nox.session
def doctests(session):
    session.run("python", "-m", "pytest", "-q", "--doctest-modules", "src/migproj")
    session.run("python", "-m", "pytest", "-q", "--doctest-glob=*.md", "README.md", "docs")


@nox.session
def docs(session):
    session.run("python", "-m", "sphinx", "-q", "-W", "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session):
    """Each benchmark once, to see that it runs; python -m benchmarks measures."""
    session.run("python", "-m", "pytest", "-q", "--benchmark-disable", "benchmarks")


@nox.session
def tests(session):
    session.run("python", "-m", "pytest", *session.posargs)
