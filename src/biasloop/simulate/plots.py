"""Plots of learning curves: a self-contained page and an image."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from biasloop.domain.measure.curve import METRICS
from biasloop.simulate.grid import BASELINE
from biasloop.simulate.report import Report

TITLES = {"accuracy": "accuracy", "macro_f1": "macro-F1"}
GREY = "#777777"


def write_html(report: Report, path: Path) -> None:
    """Writes a page with both measures and their 95 % bands; plotly's script is part of it."""
    figure = make_subplots(rows=1, cols=2, subplot_titles=[TITLES[name] for name in METRICS])
    x = report.budgets.tolist()
    for column, metric in enumerate(METRICS, start=1):
        for arm, colour in _colours(report).items():
            mean, low, high = (curve.tolist() for curve in report.band(arm, metric))
            line = {"color": colour, "dash": _line_style(arm)}
            common = {"legendgroup": arm, "name": arm, "x": x}
            figure.add_scatter(
                **common | {"x": x + x[::-1]}, y=high + low[::-1], fill="toself", opacity=0.15,
                fillcolor=colour, line={"width": 0}, hoverinfo="skip", showlegend=False,
                row=1, col=column,
            )  # fmt: skip
            figure.add_scatter(
                **common, y=mean, line=line, showlegend=column == 1, row=1, col=column
            )
    figure.update_xaxes(title="labels")
    figure.update_layout(template="plotly_white", title=_title(report), hovermode="x unified")
    figure.write_html(path, include_plotlyjs=True)


def write_png(report: Report, path: Path) -> None:
    """Writes the same plots as a PNG image, by matplotlib."""
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        for axes, metric in zip(figure.subplots(1, 2), METRICS, strict=True):
            for arm, colour in _colours(report).items():
                mean, low, high = report.band(arm, metric)
                axes.fill_between(report.budgets, low, high, color=colour, alpha=0.15, lw=0)
                style = "--" if arm == BASELINE else "-"
                axes.plot(report.budgets, mean, style, color=colour, label=arm)
            axes.set(title=TITLES[metric], xlabel="labels")
        axes.legend(frameon=False, loc="lower right")
        figure.suptitle(_title(report), fontsize="medium")
        figure.savefig(path, dpi=144)


def _title(report: Report) -> str:
    return f"Labels saved at {report.budgets[-1]}, by {TITLES[report.metric]}: " + ", ".join(
        f"{arm} {report.figures(arm)['labels saved']}"
        for arm in report.curves
        if arm not in (BASELINE, report.absolute)
    )


def _colours(report: Report) -> dict[str, str]:
    colours = iter(qualitative.D3 * (1 + len(report.curves) // len(qualitative.D3)))
    return {arm: GREY if arm == BASELINE else next(colours) for arm in report.curves}


def _line_style(arm: str) -> str:
    return "dash" if arm == BASELINE else "solid"
