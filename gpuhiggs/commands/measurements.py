"""Commands that handle numbers: fits, couplings, reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .application import CORES, MEASUREMENTS, app


@app.command(
    rich_help_panel=MEASUREMENTS,
    epilog="Examples: gpuhiggs fit card.txt --poi r_ggH r_qqH --scan r_ggH,r_qqH --plots figures --json fit.json; "
    "gpuhiggs fit ee=a.txt mm=b.txt --asimov --set r=2 --freeze 'theory_*'; "
    "gpuhiggs fit workspace.json --impacts --budget --posterior 1000.   "
    "Exit status: 0 all is well, 1 a fit failed, 2 bad input.",
)
def fit(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="A workspace (the project's JSON or pyhf's), or datacards to combine: CARD, or NAME=CARD for new names"
            " of its channels; or the YAML file of a peak on a smooth background.",
            show_default=False,
        ),
    ],
    poi: Annotated[
        list[str] | None,
        typer.Option(
            help="Parameter of interest; several may be given. Of a datacard: r scales all signals, r_X those named X,"
            " X_… or …_X, NAME=PATTERN,… those (or CHANNEL/PROCESS) that match; r_* is one for each signal process."
        ),
    ] = None,
    scan: Annotated[
        list[str] | None, typer.Option(help="Scan NAME, NAME=LOW:HIGH:POINTS, or NAME,NAME in two dimensions.")
    ] = None,
    toys: Annotated[int, typer.Option(min=0, help="Toys for the goodness of fit and for CLs.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Draw what was asked for into this folder: PDF, PNG and the numbers behind.")
    ] = None,
    asimov: Annotated[bool, typer.Option(help="Fit the expected data set of the initial values and --set.")] = False,
    postfit_asimov: Annotated[
        bool,
        typer.Option("--postfit-asimov", help="Fit the data, then what is expected at the values found (and --set)."),
    ] = False,
    set: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: where to start, and the truth of --asimov and --closure.")
    ] = None,
    freeze: Annotated[list[str] | None, typer.Option(help="Fix a parameter, a pattern or a group.")] = None,
    minos: Annotated[list[str] | None, typer.Option(help="More parameters, patterns, groups for MINOS errors.")] = None,
    gof: Annotated[str, typer.Option(help="Goodness of fit: saturated, chi2, ks or ad.")] = "saturated",
    impacts: Annotated[bool, typer.Option(help="Impacts of the nuisance parameters.")] = False,
    budget: Annotated[bool, typer.Option(help="The uncertainty by groups, by successive fixing.")] = False,
    compatibility: Annotated[bool, typer.Option(help="Whether the channels agree on the signal.")] = False,
    posterior: Annotated[
        int, typer.Option(min=0, help="Draws of each of four chains of the posterior (the extra bayes), such as 1000.")
    ] = 0,
    closure: Annotated[
        int, typer.Option(min=0, help="Toys with the signal of --set injected: pulls, bias and coverage.")
    ] = 0,
    unfold: Annotated[
        list[str] | None,
        typer.Option(help="NAME=CROSS-SECTION of each parameter of interest, a generator bin each: cross sections."),
    ] = None,
    treat: Annotated[
        list[str] | None,
        typer.Option(
            help="Treat varied templates first: symmetrise=mean|larger, smooth=PASSES, prune_norm=SIZE,"
            " prune_shape=SIZE."
        ),
    ] = None,
    minimiser: Annotated[str, typer.Option(help="newton (the project's) or minuit (MIGRAD, MINOS).")] = "newton",
    mass: Annotated[str | None, typer.Option(help="What $MASS in a datacard stands for.")] = None,
    measurement: Annotated[str | None, typer.Option(help="Of a pyhf workspace; the first if not given.")] = None,
    patch: Annotated[str | None, typer.Option(help="FILE or FILE:NAME, a patch of a pyhf workspace.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of toys and chains.")] = 1,
) -> None:
    """Fit a statistical model: parameters, significance, limits, goodness of fit, scans, impacts, budget."""
    import rich

    from ..inference import command
    from ..inference.answer import check_output, write_json

    options = command.Options(
        poi=tuple(poi or ()), scan=tuple(scan or ()), toys=toys, asimov=asimov, postfit_asimov=postfit_asimov,
        set=tuple(set or ()), freeze=tuple(freeze or ()), minos=tuple(minos or ()), goodness_of_fit=gof,  # type: ignore[arg-type]
        impacts=impacts, budget=budget, compatibility=compatibility, posterior=posterior, closure=closure,
        unfold=tuple(unfold or ()), treat=tuple(treat or ()), minimiser=minimiser,  # type: ignore[arg-type]
        mass=mass, measurement=measurement, patch=patch, seed=seed,
    )  # fmt: skip
    check_output(json, plots)
    answer = command.answer(paths, options)
    if json is not None:
        write_json(answer.to_json(), json)
    rich.get_console().print(answer.to_text(), markup=False, highlight=False, soft_wrap=True)
    if plots is not None:
        from ..report import fit_figures

        for words in fit_figures.write(answer, plots):
            rich.get_console().print(f"no figure: {words}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if answer.is_well else 1)


@app.command(
    rich_help_panel=MEASUREMENTS,
    epilog="Example: gpuhiggs convert RUN_DIR/workspace.json card.txt   (the datacard, and its templates in card.root)",
)
def convert(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="A workspace, or datacards, as for gpuhiggs fit; then the file to write.", show_default=False
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            help="datacard, pyhf or workspace; by default a datacard for .txt, pyhf for .json.", show_default=False
        ),
    ] = None,
    poi: Annotated[list[str] | None, typer.Option(help="Parameter of interest, as for gpuhiggs fit.")] = None,
    mass: Annotated[str | None, typer.Option(help="What $MASS in a datacard stands for.")] = None,
    measurement: Annotated[str | None, typer.Option(help="Of a pyhf workspace; the first if not given.")] = None,
    patch: Annotated[str | None, typer.Option(help="FILE or FILE:NAME, a patch of a pyhf workspace.")] = None,
) -> None:
    """Write a statistical model in another format: Combine's datacard with templates, pyhf's JSON, the project's."""
    import rich

    from ..errors import InputError
    from ..inference import conversion

    if len(paths) < 2:
        msg = f"convert {paths[0]}: expected a model and the file to write"
        raise InputError(msg)
    lines = conversion.convert(
        paths[:-1], paths[-1], to, poi=poi or (), mass=mass, measurement=measurement, patch=patch
    )
    rich.get_console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


@app.command(
    rich_help_panel=MEASUREMENTS,
    epilog="Example: gpuhiggs combine --data atlas-run2 cms-run2 --model kappa-effective --json kappa.json",
)
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
    from ..errors import InputError
    from ..interpret import command

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
    rich_help_panel=MEASUREMENTS,
    epilog="Examples: gpuhiggs interpret width --data atlas-run2 --json width.json;"
    " gpuhiggs interpret mass --run RUN_DIR; gpuhiggs interpret sm --sqrt-s 13.6",
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
    from ..interpret import questions

    options = questions.Options(
        data=tuple(data or ()), model=model, runs=tuple(run or ()), luminosity=tuple(luminosity or ()), m_h=m_h,
        sqrt_s=sqrt_s,
    )  # fmt: skip
    questions.run(question, options, json)


@app.command(rich_help_panel=MEASUREMENTS, epilog="Example: gpuhiggs report gpuhiggs-demo --data atlas-run2")
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
    from ..report import command

    raise typer.Exit(command.run(folders or [], data or [], output, workers=CORES))
