"""How far distributions are apart, on the page and over HTTP."""

import math
from typing import Any

import pytest
from gradio_client import Client
from tests.ui.servers import Running

from anamorph import divergence as measures
from anamorph.commands.divergence import make_family
from anamorph.divergence import Gaussian
from anamorph.errors import InputError
from anamorph_ui import distances

Json = dict[str, Any]
OBSERVED = "KL(observed || family)"


@pytest.fixture(scope="module")
def client(server: Running) -> Client:
    return Client(server.url, verbose=False)


def test_teeth_beside_uniform_and_the_nearest_of_a_family(server: Running) -> None:
    found = server.client.post("/v1/divergence", json={"fit": "two-level"})
    assert found.status_code == 200
    told = found.json()
    assert told["unit"] == "bits"
    assert told["kl_observed_expected"] == pytest.approx(0.338, abs=5e-4)
    assert told["p"] == pytest.approx(0.47, abs=5e-3)
    assert told["least"] == pytest.approx(
        measures.kl_divergence(measures.TEETH, measures.two_level(11, 6, told["p"]))
    )


def test_units_directions_and_splits_reach_the_library(server: Running) -> None:
    body: Json = {"observed": "3, 5, 2", "expected": "1,1,2", "unit": "nats", "fit": "two-level"}
    told = server.client.post("/v1/divergence", json=body | {"split": 1, "reverse": True}).json()
    assert told["kl_observed_expected"] == pytest.approx(
        measures.kl_divergence([3, 5, 2], [1, 1, 2], "nats")
    )
    family = make_family("two-level", 3, 1)
    expected = measures.fit([3, 5, 2], family, unit="nats", reverse=True)
    assert (told["p"], told["least"]) == pytest.approx((expected.parameter, expected.divergence))


def test_what_is_infinite_is_null(server: Running) -> None:
    told = server.client.post("/v1/divergence", json={"observed": "1,1", "expected": "1,0"}).json()
    assert told["kl_observed_expected"] is None
    assert told["kl_expected_observed"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"observed": "many"}, "distribution 'many': give numbers with commas"),
        ({"observed": "uniform"}, "distribution 'uniform': give numbers"),
        ({"observed": "1,nan"}, "give finite numbers of at least 0"),
        ({"observed": "1,-1"}, "give finite numbers of at least 0"),
        ({"observed": "0,0"}, "not all 0"),
        ({"observed": "1,2", "expected": "1,2,3"}, "over 2 and 3 outcomes"),
        ({"expected": "binomial:2"}, "must be from 0 to 1"),
        ({"observed": ",".join(["1"] * 201)}, "201 outcomes, 200 are the most"),
        ({"observed": "1," * 4000}, "observed: string should have at most 5000 characters"),
        ({"unit": "bans"}, "unit: input should be 'bits' or 'nats'"),
        ({"fit": "normal"}, "fit: input should be"),
        ({"fit": "binomial", "split": 3}, "split: is for the family two-level"),
        ({"fit": "two-level", "split": 40}, "split 40: must leave outcomes on both sides"),
    ],
)
def test_what_is_no_distribution_is_told_in_a_sentence(
    server: Running, body: Json, message: str
) -> None:
    found = server.client.post("/v1/divergence", json=body)
    assert found.status_code == 422
    assert message in found.json()["error"]


def test_the_longest_distributions_are_fitted() -> None:
    long = ",".join(["1"] * distances.MOST_OUTCOMES)
    for family in ("binomial", "two-level", "geometric"):
        assert distances.compare(long, "uniform", unit="bits", family=family).nearest


def test_names_are_not_taken_for_html() -> None:
    found = distances.compare("1,2", "1,2", unit="bits")
    table = distances.draw_table({"<b>": math.inf}, "bits")
    assert "&lt;b&gt;" in table
    assert "∞" in table
    assert distances.draw_nearest(found) == ("", "")


def test_gaussians_are_compared() -> None:
    figures = distances.compare_gaussians(Gaussian(0, 1), Gaussian(1, 2), "nats")
    assert figures["KL(first || second)"] == pytest.approx(math.log(2) + 2 / 8 - 1 / 2)
    assert "mean 0 and deviation 1" in distances.draw_gaussians(Gaussian(0, 1), Gaussian(1, 2))
    with pytest.raises(InputError, match="give a mean up to 1e\\+06"):
        distances.compare_gaussians(Gaussian(1e300, 1), Gaussian(0, 1), "bits")


def test_a_program_compares_through_the_page(client: Client) -> None:
    figures, bars, words, curve, note = client.predict(
        "teeth", "uniform", "bits", "two-level", OBSERVED, "", api_name="/divergence"
    )
    assert "KL(teeth || uniform)</th><td>0.3385 bits" in figures
    assert "teeth beside uniform" in bars
    assert words == "KL(teeth || two-level) is least at **p = 0.472**: 0.3376 bits."
    assert "least 0.338 bits at p = 0.472" in curve
    assert "reconstructed, not observed" in note
    figures, *others = client.predict(
        "1,2", "1,", "bits", "none", OBSERVED, "", api_name="/divergence"
    )
    assert "give numbers with commas between them" in figures
    assert others == ["", "", "", ""]
    figures, *_ = client.predict(
        "1,2", "1,1", "bits", "two-level", OBSERVED, "x", api_name="/divergence"
    )
    assert "give the number of an outcome" in figures


def test_a_program_compares_gaussians_through_the_page(client: Client) -> None:
    figures, curves = client.predict(0, 1, 1, 2, "nats", api_name="/gaussians")
    assert "KL(first || second)</th><td>0.4431 nats" in figures
    assert "<svg" in curves
    figures, curves = client.predict(0, 0, 1, 2, "nats", api_name="/gaussians")
    assert ("deviation above 0" in figures, curves) == (True, "")
    assert "Give both" in client.predict(None, 0, 1, 2, "nats", api_name="/gaussians")[0]
