"""The command ``gpuhiggs``; ``python -m gpuhiggs`` is the same.

Exit status: 0 when all is done, 1 when a run is incomplete or failed, 2 on bad input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

CORES = len(os.sched_getaffinity(0))  # what this process may use, which in a batch slot is not the whole machine

app = typer.Typer(
    name="gpuhiggs",
    help="LHC event files in, Higgs couplings out, with the same bits on every device.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """LHC event files in, Higgs couplings out, with the same bits on every device."""


@app.command(epilog="Example: gpuhiggs run analysis.yaml --output out --workers 2")
def run(
    config: Annotated[Path, typer.Argument(help="The configuration, a YAML file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the result.")] = Path("gpuhiggs-run"),
    channel: Annotated[
        Path | None,
        typer.Option(help="A channel of your own, a Python file, instead of the configuration's selection."),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 runs in this one.")] = CORES,
    device: Annotated[
        str | None, typer.Option(metavar="[cpu|cuda|auto]", help="Where kernels run; auto: on a GPU if there is one.")
    ] = None,
    limit_files: Annotated[int | None, typer.Option(min=1, help="Take only the first N files of a dataset.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a result that is there.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on with what an earlier run in the folder has done.")] = False,
    scheduler: Annotated[str | None, typer.Option(help="Address or file of a Dask scheduler to use.")] = None,
    max_failures: Annotated[int | None, typer.Option(min=0, help="Give up when more files have failed.")] = None,
    allow_partial: Annotated[bool, typer.Option("--allow-partial", help="Fit also what is not complete.")] = False,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps the columns read, for the next run.")] = None,
    cache_size: Annotated[float, typer.Option(min=0.001, help="Its size in GiB; what was used last stays.")] = 100.0,
    skim: Annotated[
        list[str] | None,
        typer.Option(metavar="[parquet|root]", help="Write the selected events too, in this format; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be read, and how long.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only compile, and try the first events of each dataset.")
    ] = False,
) -> None:
    """Process event files: select, reconstruct, histogram."""
    from . import catalogue
    from . import config as configuration
    from .read import ColumnCache
    from .report import process

    loaded = configuration.load(config, channel, catalogue.expand)
    if skim:
        loaded = configuration.validate(
            configuration.RunConfig, loaded.model_dump(by_alias=True) | {"skim": skim}, "--skim"
        )
    if check:
        from .report import check as trial

        raise typer.Exit(trial.run(loaded))
    if dry_run:
        from .report import dry_run as estimation

        raise typer.Exit(estimation.run(loaded, workers=workers, limit_files=limit_files))
    changed = {"max_failures": max_failures, "allow_partial": allow_partial or None, "device": device}
    loaded = configuration.with_execution(loaded, {key: value for key, value in changed.items() if value is not None})
    status = process.run(
        loaded,
        output,
        workers=workers,
        overwrite=overwrite,
        resume=resume,
        limit_files=limit_files,
        scheduler=scheduler,
        cache=None if cache is None else ColumnCache(cache, int(cache_size * 2**30)),
    )
    raise typer.Exit(status)


@app.command(epilog="Example: gpuhiggs retry out")
def retry(
    folder: Annotated[Path, typer.Argument(help="The folder of a run that is not complete.", show_default=False)],
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 runs in this one.")] = CORES,
    scheduler: Annotated[str | None, typer.Option(help="Address or file of a Dask scheduler to use.")] = None,
    device: Annotated[
        str | None, typer.Option(metavar="[cpu|cuda|auto]", help="Where kernels run; by default as before.")
    ] = None,
) -> None:
    """Do what is missing of a run: files that failed, and what was not reached when it was stopped."""
    from . import config as configuration
    from .report import process

    loaded = configuration.load(folder / "config.yaml")
    loaded = configuration.with_execution(loaded, {} if device is None else {"device": device})
    raise typer.Exit(process.run(loaded, folder, workers=workers, resume=True, scheduler=scheduler))


@app.command(epilog="Example: gpuhiggs demo --output my-demo --workers 2")
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the simulation and the results.")] = Path("gpuhiggs-demo"),
    channels: Annotated[str, typer.Option(help="Some of 4l, gg, ww, divided by commas.")] = "4l,gg,ww",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = CORES,
    events: Annotated[int, typer.Option(help="Size of the simulation: shares of it are a process' events.")] = 30_000,
    luminosity: Annotated[float, typer.Option(help="Luminosity of the pseudo-data, fb⁻¹.")] = 36.3,
) -> None:
    """Simulate H→4ℓ, γγ and WW, process, fit, combine and report: from nothing to couplings."""
    from . import demo as demonstration

    chosen = [name.strip() for name in channels.split(",")]
    status = demonstration.run(output, n_events=events, workers=workers, luminosity=luminosity, channels=chosen)
    raise typer.Exit(status)


@app.command(epilog="Example: gpuhiggs report gpuhiggs-demo --data atlas-run2")
def report(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of finished runs, or folders that hold such folders.", show_default=False),
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Published measurements too; gpuhiggs combine --list shows all.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the page and its files; by default the first folder.")
    ] = None,
) -> None:
    """Write the full report of finished runs: one HTML page, its figures as PDF and PNG, the numbers behind them."""
    from .report import command

    raise typer.Exit(command.run(folders or [], data or [], output))


cache_app = typer.Typer(name="cache", help="Look at a column cache, or make room in it.", no_args_is_help=True)
app.add_typer(cache_app)
_Folder = Annotated[Path, typer.Argument(help="The cache's folder.", show_default=False, exists=True, file_okay=False)]


@cache_app.command("list", epilog="Example: gpuhiggs cache list /scratch/columns")
def cache_list(folder: _Folder) -> None:
    """List the files whose columns a cache has, with bytes and last use."""
    from .report import cache

    cache.show(folder)


@cache_app.command("prune", epilog="Example: gpuhiggs cache prune /scratch/columns --size 20")
def cache_prune(
    folder: _Folder,
    size: Annotated[float, typer.Option(min=0, help="GiB that may stay; what was used last stays.")] = 0.0,
) -> None:
    """Remove what was used least recently."""
    from .report import cache

    cache.prune(folder, int(size * 2**30))


datasets_app = typer.Typer(name="datasets", help="The catalogue of public data sets.", no_args_is_help=True)
app.add_typer(datasets_app)
_Pattern = Annotated[str, typer.Argument(help="Part of a name release/dataset, or a pattern with * and ?.")]


@datasets_app.command("list", epilog="Example: gpuhiggs datasets list cms-open-data-2016/")
def datasets_list(pattern: _Pattern = "") -> None:
    """List datasets: kind, process, files, size, cross section."""
    from .report import datasets

    datasets.show_list(pattern)


@datasets_app.command("show", epilog="Example: gpuhiggs datasets show cms-open-data-2016/GluGluHToGG --files")
def datasets_show(
    name: Annotated[str, typer.Argument(help="release/dataset, or a pattern.", show_default=False)],
    files: Annotated[bool, typer.Option("--files", help="List the files too.")] = False,
) -> None:
    """Show all that is known of datasets, with sources."""
    from .report import datasets

    datasets.show(name, files)


@datasets_app.command("check", epilog="Example: gpuhiggs datasets check 'atlas-open-data-2020/*.4lep' --files 1")
def datasets_check(
    name: Annotated[str, typer.Argument(help="release/dataset, or a pattern.", show_default=False)],
    files: Annotated[int | None, typer.Option(min=1, help="Open only the first N files of a dataset.")] = None,
    mirror: Annotated[str | None, typer.Option(help="Folder or URL that has the portal's folders below it.")] = None,
) -> None:
    """Open the files of datasets and compare sizes, events and sums of weights with the catalogue."""
    from .report import datasets

    raise typer.Exit(datasets.check(name, files, mirror))


@app.command(
    epilog="Example: gpuhiggs fit card.txt --poi r_ggH --poi r_qqH --scan r_ggH,r_qqH --json fit.json   "
    "Exit status: 0 all is well, 1 a fit failed, 2 bad input."
)
def fit(
    paths: Annotated[
        list[Path],
        typer.Argument(help="A workspace (the project's JSON or pyhf's), or datacards to combine.", show_default=False),
    ],
    poi: Annotated[
        list[str] | None,
        typer.Option(
            help="Parameter of interest; several may be given. Of a datacard: r scales all signals, r_X those named X,"
            " X_… or …_X, NAME=PATTERN,… those (or CHANNEL/PROCESS) that match."
        ),
    ] = None,
    scan: Annotated[
        list[str] | None, typer.Option(help="Scan NAME, NAME=LOW:HIGH:POINTS, or NAME,NAME in two dimensions.")
    ] = None,
    toys: Annotated[int, typer.Option(min=0, help="Toys for the goodness of fit and for CLs.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
    asimov: Annotated[bool, typer.Option(help="Fit the expected data set of the initial values and --set.")] = False,
    set: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: where to start, and the truth of --asimov.")
    ] = None,
    freeze: Annotated[list[str] | None, typer.Option(help="Fix a parameter, a pattern or a group.")] = None,
    minos: Annotated[list[str] | None, typer.Option(help="More parameters, patterns, groups for MINOS errors.")] = None,
    gof: Annotated[str, typer.Option(help="Goodness of fit: saturated, chi2, ks or ad.")] = "saturated",
    impacts: Annotated[bool, typer.Option(help="Impacts of the nuisance parameters.")] = False,
    budget: Annotated[bool, typer.Option(help="The uncertainty by groups, by successive fixing.")] = False,
    mass: Annotated[str | None, typer.Option(help="What $MASS in a datacard stands for.")] = None,
    measurement: Annotated[str | None, typer.Option(help="Of a pyhf workspace; the first if not given.")] = None,
    patch: Annotated[str | None, typer.Option(help="FILE or FILE:NAME, a patch of a pyhf workspace.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the toys.")] = 1,
) -> None:
    """Fit a statistical model: parameters, significance, limits, goodness of fit, scans, impacts, budget."""
    from .inference import command

    options = command.Options(
        poi=tuple(poi or ()), scan=tuple(scan or ()), toys=toys, asimov=asimov, set=tuple(set or ()),
        freeze=tuple(freeze or ()), minos=tuple(minos or ()), goodness_of_fit=gof, impacts=impacts,  # type: ignore[arg-type]
        budget=budget, mass=mass, measurement=measurement, patch=patch, seed=seed,
    )  # fmt: skip
    form, notes, is_well = command.run(paths, options)
    if json is not None:
        command.write_json(form, json)
    names = [text.partition("=")[0] for text in options.poi] or [next(iter(form["parameters"]))]
    sys.stdout.write(command.summary(form, notes, names) + "\n")
    raise typer.Exit(0 if is_well else 1)


def _spread(arguments: list[str]) -> list[str]:
    """Repeat an option before each of its values: ``--poi A B`` is ``--poi A --poi B``."""
    several = {
        "fit": ("--poi", "--scan", "--set", "--freeze", "--minos"),
        "combine": ("--data", "--operator"),
        "interpret": ("--data", "--run", "--luminosity"),
    }
    repeated = several.get(next(iter(arguments), ""))
    if repeated is None:
        return arguments
    found: list[str] = []
    option: str | None = None
    for word in arguments:
        if word.startswith("--"):
            option = word if word in repeated else None
            if option is None:
                found.append(word)
        elif option is not None and not (found and Path(word).is_file()):
            found += [option, word]
        else:
            found.append(word)
    return found


@app.command(epilog="Example: gpuhiggs examples atlas-hzz4l.yaml")
def examples(
    name: Annotated[str | None, typer.Argument(help="The one to copy here; without it, list all.")] = None,
) -> None:
    """Copy a configuration or a channel to start from into the working folder."""
    from . import examples as shipped

    if name is None:
        titles = shipped.titles()
        width = max(map(len, titles))
        sys.stdout.writelines(f"{name:<{width}}  {title}\n" for name, title in titles.items())
    else:
        sys.stdout.write(f"{shipped.copy(name, Path())}\n")


@app.command(epilog="Example: gpuhiggs combine --data atlas-run2 cms-run2 --model kappa-effective --json kappa.json")
def combine(
    data: Annotated[
        list[str] | None, typer.Option(help="Published measurements, or the folder of a finished run; several add up.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="What to fit; --list shows all.", show_default=False)] = None,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
    operator: Annotated[list[str] | None, typer.Option(help="SMEFT operators to fit together.")] = None,
    plane: Annotated[int, typer.Option(min=0, help="Profile a plane of N x N points (models of two numbers).")] = 0,
    posterior: Annotated[
        bool,
        typer.Option(help="Sample the posterior too, with flat priors; a difficult one by NUTS (the extra bayes)."),
    ] = False,
    repair: Annotated[bool, typer.Option(help="Repair a correlation matrix that is not positive definite.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show every model and every set of measurements.")] = False,
) -> None:
    """Fit couplings, 2HDM, hMSSM or SMEFT to published measurements and to own results."""
    from .errors import InputError
    from .interpret import command

    if list_:
        command.tell_known()
        return
    if model is None:
        msg = "--model is needed; gpuhiggs combine --list shows all"
        raise InputError(msg)
    command.run(
        data or ["atlas-run2"], model, json_file=json, chosen=operator or (), points=plane, repair=repair,
        posterior=posterior,
    )  # fmt: skip


@app.command(
    epilog="Examples: gpuhiggs interpret width --data atlas-run2 --json width.json;"
    " gpuhiggs interpret mass --run RUN_DIR; gpuhiggs interpret sm --sqrt-s 13.6"
)
def interpret(
    question: Annotated[
        str,
        typer.Argument(
            help="width (partial, total, lifetime), projections (κ at the HL-LHC), mass (precision against"
            " luminosity), vacuum (its instability scale), benchmarks (beyond the SM), orders (gg → H, LO to N³LO)"
            " or sm (predictions).",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[str] | None, typer.Option(help="Published measurements, or folders of finished runs (atlas-run2).")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A κ model, for width and projections (kappa-effective).")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="Finished runs whose peaks mass takes.")] = None,
    luminosity: Annotated[list[float] | None, typer.Option(help="fb⁻¹; several make several points.")] = None,
    m_h: Annotated[float | None, typer.Option(help="Mass in GeV (125.09).")] = None,
    sqrt_s: Annotated[float | None, typer.Option(help="Centre-of-mass energy in TeV (13).")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
) -> None:
    """Answer what follows from the measurements: widths, precision to come, points beyond the SM, predictions."""
    from .interpret import questions

    options = questions.Options(
        data=tuple(data or ()), model=model, runs=tuple(run or ()), luminosity=tuple(luminosity or ()), m_h=m_h,
        sqrt_s=sqrt_s,
    )  # fmt: skip
    questions.run(question, options, json)


@app.command(epilog="Example: gpuhiggs simulate campaign.yaml --output simulation --workers 2")
def simulate(
    config: Annotated[Path, typer.Argument(help="What to simulate, a YAML file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the samples.")] = Path("gpuhiggs-simulation"),
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = CORES,
) -> None:
    """Simulate Higgs bosons and backgrounds into NanoAOD-like files, and draw pseudo-data."""
    from .simulate import campaign, progress

    loaded = campaign.load(config)
    with progress.showing(loaded, output) as report:
        campaign.run(loaded, output, workers=workers, progress=report)


@app.command(epilog="Example: gpuhiggs train training.yaml --output model --workers 2")
def train(
    config: Annotated[Path, typer.Argument(help="What to train, a YAML file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the model and its report.")] = Path("gpuhiggs-training"),
    workers: Annotated[int, typer.Option(min=0, help="Processes of the selection.")] = CORES,
    overwrite: Annotated[bool, typer.Option(help="Replace a result that is there.")] = False,
) -> None:
    """Train a classifier on the selected events of an analysis' simulation."""
    from .report import training

    loaded, analysis = training.load(config)
    raise typer.Exit(training.run(loaded, analysis, output, workers=workers, overwrite=overwrite))


@app.command(epilog="Example: gpuhiggs doctor --self-test --device cuda")
def doctor(
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Compare every kernel bit by bit on this machine.")
    ] = False,
    device: Annotated[str, typer.Option(metavar="[cpu|cuda|auto]", help="What the self-test compares with.")] = "auto",
    events: Annotated[int, typer.Option(min=1, help="Random events of each kernel.")] = 20_000,
) -> None:
    """Say what this machine has, what is known to go wrong with it, and what to do about that."""
    from . import doctor as examination

    raise typer.Exit(examination.run(device, self_test=self_test, n_events=events))


def main() -> None:
    """Run the command; an error that the user can act on is one message, not a traceback."""
    from .errors import GpuhiggsError

    try:
        app(_spread(sys.argv[1:]))
    except GpuhiggsError as error:
        sys.stderr.write(f"gpuhiggs: {error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
