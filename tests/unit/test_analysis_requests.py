"""Reading one file of requests, as good or as bad as it may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from analysis_trees import JMETER_HEADER, OWN_HEADER, START, jmeter_run, own_run

from faas_exp.analysis.errors import BadFileError
from faas_exp.analysis.requests import Requests, read_requests

ROW = f"{START}.000,12.500,go,200,,true,19,0,go-1,{START - 5000}"


def read(tmp_path: Path, content: str | bytes) -> Requests:
    path = tmp_path / "requests.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_requests(path)


def test_own_rows(tmp_path: Path) -> None:
    own_run(tmp_path, [10.0, 20.0, 30.5], errors=[1], replicas=2)
    got = read_requests(tmp_path / "requests.csv")
    assert got.elapsed.tolist() == [10.0, 20.0, 30.5]
    assert got.time.tolist() == [START, START + 10, START + 30]
    assert got.success.tolist() == [True, False, True]
    assert got.code_200.tolist() == [True, False, True]
    assert [got.replicas[code] for code in got.replica] == ["gofunction-0", "gofunction-1", "gofunction-0"]
    assert (got.replica_start == START - 60_000).all()
    assert got.bad == {}


def test_jmeter_rows_with_words_for_codes(tmp_path: Path) -> None:
    codes = {1: "Non HTTP response code: java.net.SocketException", 2: "500", 3: "404"}
    jmeter_run(tmp_path, [3, 4, 5, 6, 7], codes=codes)
    got = read_requests(tmp_path / "summary.jtl")
    assert got.success.tolist() == [True, False, False, False, True]
    assert got.elapsed.tolist() == [3, 4, 5, 6, 7]
    assert np.isnan(got.replica_start).all()
    assert (got.replica == -1).all()


def test_a_failed_assertion_is_a_failure_but_the_thesis_counted_its_200(tmp_path: Path) -> None:
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW.replace('true', 'false')}\n{ROW}\n")
    assert got.success.tolist() == [False, True]
    assert got.code_200.tolist() == [True, True]


def test_without_a_success_column_the_code_decides(tmp_path: Path) -> None:
    got = read(tmp_path, "timeStamp,elapsed,responseCode\n1,2,201\n2,2,302\n3,2,Non HTTP response code: x\n")
    assert got.success.tolist() == [True, False, False]
    assert got.code_200.tolist() == [False, False, False]


@pytest.mark.parametrize("cut", [5, 20, 30, 40, 45])
def test_truncated_last_line_is_left_out_and_said(tmp_path: Path, cut: int) -> None:
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW}\n{ROW}\n{ROW[:cut]}")
    assert len(got) == 2
    assert sum(got.bad.values()) == 1


def test_a_start_time_that_was_cut_off_is_unknown(tmp_path: Path) -> None:
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW}\n{ROW[:-3]}")
    assert np.isnan(got.replica_start).tolist() == [False, True]
    assert len(got) == 2


def test_last_line_without_a_line_end_but_whole_is_kept(tmp_path: Path) -> None:
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW}\n{ROW}")
    assert len(got) == 2
    assert got.bad == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NaN", "readable time"),
        ("", "readable time"),
        ("slow", "readable time"),
        ("-3.0", "negative"),
        ("inf", "infinite"),
        ("1e999", "infinite"),
    ],
)
def test_impossible_times_are_left_out_and_said(tmp_path: Path, value: str, reason: str) -> None:
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW}\n{ROW.replace('12.500', value)}\n{ROW}\n")
    assert got.elapsed.tolist() == [12.5, 12.5]
    assert [(reason in why, count) for why, count in got.bad.items()] == [(True, 1)]


def test_negative_time_stamp_is_left_out(tmp_path: Path) -> None:
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW}\n-{ROW}\n")
    assert len(got) == 1
    assert sum(got.bad.values()) == 1


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    row = ROW.encode().replace(b"go-1", b"g\xf6-\xff")
    got = read(tmp_path, OWN_HEADER.encode() + b"\n" + row + b"\n" + ROW.replace("12.500", "slow").encode() + b"\n")
    assert len(got) == 1
    assert got.replicas[got.replica[0]] == "g\ufffd-\ufffd"


def test_line_breaks_and_commas_inside_quotes(tmp_path: Path) -> None:
    row = f'{START},7,x,500,"a, b\nc ""d""",false,0,0,,'
    got = read(tmp_path, f"{OWN_HEADER}\n{row}\n{ROW}\n")
    assert got.elapsed.tolist() == [7.0, 12.5]
    assert got.bad == {}


def test_a_big_file_with_line_breaks_in_quotes_everywhere(tmp_path: Path) -> None:
    # Over several of Arrow's blocks, so that some of them end inside the quotes.
    message = "a line,\n" * 20
    row = f'{START},7,x,500,"{message}",false,0,0,,\n'
    got = read(tmp_path, f"{OWN_HEADER}\n" + row * 40_000)
    assert len(got) == 40_000
    assert not got.success.any()
    assert got.bad == {}


def test_a_word_for_a_code_in_our_own_file(tmp_path: Path) -> None:
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW}\n{ROW.replace(',200,', ',gone,').replace('true', 'false')}\n")
    assert got.success.tolist() == [True, False]


def test_a_quote_that_never_closes_costs_only_the_rows_it_swallows(tmp_path: Path) -> None:
    broken = ROW.replace(",go,", ',"go,')
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW}\n{ROW}\n{broken}\n")
    assert len(got) == 2


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters(tmp_path: Path, delimiter: str) -> None:
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW}\n".replace(",", delimiter))
    assert got.elapsed.tolist() == [12.5]


def test_byte_order_mark_windows_lines_and_nul_bytes(tmp_path: Path) -> None:
    got = read(tmp_path, b"\xef\xbb\xbf" + f"{OWN_HEADER}\r\n{ROW}\r\n".encode())
    assert got.elapsed.tolist() == [12.5]
    got = read(tmp_path, f"{OWN_HEADER}\n{ROW}\n".encode() + b"\0" * 40 + b"\n" + ROW.encode() + b"\n")
    assert got.elapsed.tolist() == [12.5, 12.5]


def test_columns_in_another_order_and_unknown_ones(tmp_path: Path) -> None:
    got = read(tmp_path, f"extra,success,elapsed,timeStamp\nhello,true,3,{START}\n")
    assert (got.elapsed.tolist(), got.success.tolist()) == ([3.0], [True])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"\n\n", "an empty first line"),
        (b"<?xml version='1.0'?><testResults/>", "XML"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "the first line"),
        (b"hello world\n1,2\n", "the first line 'hello world'"),
        (b"timeStamp,label\n1,2\n", "the first line 'timeStamp,label'"),
        (f"{OWN_HEADER}\n".encode(), "a header and no rows"),
        (f"{OWN_HEADER}\n1,2\n".encode(), "1 rows cut short"),
    ],
)
def test_what_is_not_a_file_of_requests(tmp_path: Path, content: bytes, found: str) -> None:
    with pytest.raises(BadFileError) as error:
        read(tmp_path, content)
    assert found in str(error.value)
    assert str(tmp_path / "requests.csv") in str(error.value)
    assert "allowed: " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "requests.csv").mkdir()
    with pytest.raises(BadFileError, match="unreadable"):
        read_requests(tmp_path / "requests.csv")


def test_the_patient_path_reads_the_same_as_the_fast_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    own_run(tmp_path, rng.lognormal(2, 0.5, 5000), errors=range(0, 5000, 7), replicas=3, users=4)
    path = tmp_path / "requests.csv"
    fast = read_requests(path)
    with path.open("a") as stream:
        stream.write(ROW.replace("12.500", "slow").replace("go-1", "gofunction-0") + "\n")
    patient = read_requests(path)
    for name in ("time", "elapsed", "success", "code_200", "replica", "replica_start"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(patient, name))
    assert patient.replicas == fast.replicas
    assert sum(patient.bad.values()) == 1


def test_jmeter_header_is_the_one_jmeter_writes(tmp_path: Path) -> None:
    assert JMETER_HEADER.split(",")[:8] == [
        "timeStamp", "elapsed", "label", "responseCode", "responseMessage", "threadName", "dataType", "success",
    ]  # fmt: skip
