"""The lines that a finished export prints."""

from typing import Any

from search.export import render


def cell(mean: float, languages: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"mean": mean, "ci95": [mean - 0.01, mean + 0.01], "languages": list(languages), "held_out": None}


def document(model_free: float) -> dict[str, Any]:
    gain = {"difference": 0.02, "ci95": [0.01, 0.03], "p": 0.01}
    return {
        "languages": ["fin", "tur"],
        "score": {**cell(0.5), "vs_all": gain, "vs_none": gain, "vs_random": gain},
        "baselines": {
            "all": cell(0.6),
            "none": cell(0.4),
            "random-k": cell(0.45),
            "max-min": cell(model_free, ("deu",)),
        },
        "path": "/somewhere/chosen",
        "metric": "accuracy",
    }


def test_a_better_choice_without_measuring_is_not_kept_quiet() -> None:
    loud, quiet = (render(document(mean)).splitlines() for mean in (0.55, 0.45))
    assert [line for line in loud if line.startswith("note: max-min")]
    assert not [line for line in quiet if line.startswith("note:")]
    assert loud[-1] == "export: /somewhere/chosen"
