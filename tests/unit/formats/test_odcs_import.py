"""Contracts that others have written: what the model takes of them, and what is reported, with its place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

import config_schema
from airflow_plugin.formats.draft import DatastoreRefused, NothingToImport, SourceNotReadable, database_of_dsn
from airflow_plugin.formats.odcs.export import contract_of
from airflow_plugin.formats.odcs.files import PART, contract_files, import_contracts
from airflow_plugin.formats.odcs.servers import Choice
from airflow_plugin.formats.written import export_text
from config_schema.errors import DsnMalformed, FileUnreadable, ProblemsFound, UnknownName, ValueWrong
from config_schema.load.documents import structured
from config_schema.load.folder import load_placed
from config_schema.load.model_yaml import load
from config_schema.model import (
    Classification,
    Column,
    Consistency,
    Database,
    Datastore,
    FileFormat,
    FileOptions,
    SourceKind,
)
from config_schema.model.quality import AcceptedValues, Completeness, NotNull, Pattern, RowCount, Severity, Unique
from config_schema.tls import Tls
from tests.unit.formats.documents import mappings

PAYMENTS = Path(__file__).parent / "files" / "payments.odcs.yaml"
WARN = Severity.WARN
HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nname: Shop\n"
SERVER = "servers: [{server: s, type: postgres, host: h, port: 5432, database: d, schema: public}]\n"
SCHEMA = "schema: [{name: t, properties: [{name: id, physicalType: int, primaryKey: true}]}]\n"


def imported(file: Path, choice: Choice | None = None) -> tuple[Datastore, list[str]]:
    """The datastore of a contract, and the place of each note."""
    reports: list = []
    text = import_contracts([file], choice or Choice(), reports, to_files=False)[PART]
    (said,) = load(text)["datastores"]
    return structured(said, Datastore), [f"{one.line} {one.path}" for report in reports for one in report.noted()]


def test_what_the_model_has_words_for_is_in_it():
    store, _ = imported(PAYMENTS, Choice(server="ledger", credential="ledger-reader"))
    assert (store.name, store.owner) == ("payments", "Finance_Team")
    assert store.documentation == "Payments as the ledger books them.\n\nUsage: Reports, not for billing."
    assert store.source == Database("pg-ledger", "ledger", "ledger-reader", 5433, "booked")
    (payments,) = store.datasets
    assert (payments.name, payments.table, payments.primary_key) == ("payments", "tbl_payments", ("ledger", "id"))
    assert payments.columns == (
        Column("id", "bigint", False),
        Column("ledger", "varchar(4)", False),
        Column("payer_name", "character varying(80)", False, Classification.PII),  # the strictest for a word not known
        Column("amount", "numeric", True, Classification.CONFIDENTIAL),
        Column("booked_at", "timestamp with time zone"),
        Column("tags", "text[]"),
    )
    assert payments.checks == (
        RowCount("rows", Severity.WARN, 1),
        Unique("unique_payer_name_amount", Severity.WARN, ("payer_name", "amount")),
        NotNull("not_null_amount", Severity.FAIL, ("amount",)),
    )


def test_everything_else_is_reported_with_its_line_and_path():
    _, places = imported(PAYMENTS)
    assert places == [
        "8 domain",
        "9 tags",
        "13 description.authoritativeDefinitions",
        "16 servers[0]",
        "27 servers[1].roles",
        "29 team",
        "30 team.name",
        "32 team.members",
        "38 schema[0].description",
        "48 schema[0].properties[2].name",
        "51 schema[0].properties[2].logicalTypeOptions.pattern",
        "53 schema[0].properties[2].classification",
        "54 schema[0].properties[2].description",
        "57 schema[0].properties[3].physicalType",
        "60 schema[0].properties[3].quality[0].description",
        "61 schema[0].properties[3].quality[1]",
        "68 schema[0].properties[6]",
        "69 schema[0].properties[6].physicalType",
        "73 schema[0].quality[2]",
        "74 schema[0].quality[3].description",
        "74 schema[0].quality[3]",
        "76 schema[0].relationships[0]",
        "77 schema[1]",
        "78 schema[1].physicalType",
        "82 slaProperties[0].value",
        "83 slaProperties[1].schedule",
        "84 slaProperties[2]",
        "85 slaProperties[3]",
        "86 support",
        "89 customProperties[0]",
    ]


def contracts() -> list[dict[str, Any]]:
    """A contract of somebody else, and one of ours."""
    model, _ = load_placed(Path(config_schema.__file__).parent / "examples" / "environments")
    return [load(PAYMENTS.read_text(), {}), contract_of(model, model.ecosystem.datastores[0])]


@pytest.mark.parametrize("number", range(2))
def test_a_key_that_nobody_knows_is_reported_wherever_it_stands(number, tmp_path):
    """Nothing is dropped without a word: a key more in any mapping is a note, or in what is reported as a whole."""
    seen = 0
    whole = contracts()[number]
    file = tmp_path / "c.odcs.yaml"
    file.write_text(export_text(whole))
    before = {place.split()[1] for place in imported(file)[1]}
    for path, _ in list(mappings(whole, "")):
        changed = copy.deepcopy(whole)
        dict(mappings(changed, ""))[path]["notKnown"] = 1
        file.write_text(export_text(changed))
        try:
            after = {place.split()[1] for place in imported(file)[1]}
        except ProblemsFound as error:  # what is of ours must be as we write it
            after = {problem.path for problem in error.problems}
        inside = any(path == place or path.startswith((f"{place}.", f"{place}[")) for place in before)
        assert f"{path}.notKnown".strip(".") in after - before or inside, path
        seen += 1
    assert seen > 10


BAD = {
    "not YAML": ("a: [", None, "not YAML"),
    "empty": ("", None, "the file is empty"),
    "a list": ("[1]", "", "is not an object"),
    "not UTF-8": (b"a: \xff", None, "is no UTF-8"),
    "an alias bomb": (
        "a: &a [1,2,3,4,5,6,7,8,9]\n"
        + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
        None,
        "aliases stand for more",
    ),
    "too deep": ("a: " + "[" * 100 + "]" * 100, None, "nested deeper"),
    "no kind": (HEAD.replace("kind: DataContract\n", "") + SERVER + SCHEMA, "kind", "the key is missing"),
    "another kind": (HEAD.replace("DataContract", "Pod") + SERVER + SCHEMA, "kind", "'Pod' is not known"),
    "an old version": (HEAD.replace("v3.1.0", "v2.2.2") + SERVER + SCHEMA, "apiVersion", "'v2.2.2' is not known"),
    "no id": (HEAD.replace("id: a\n", "") + SERVER + SCHEMA, "id", "the key is missing"),
    "no version": (HEAD.replace("version: 1.0.0\n", "") + SERVER + SCHEMA, "version", "the key is missing"),
    "servers are no list": (HEAD + "servers: x\n" + SCHEMA, "servers", "'x' is not a list"),
    "an object without a name": (
        HEAD + SERVER + "schema: [{properties: []}]\n",
        "schema[0].name",
        "the key is missing",
    ),
    "a property that is a text": (
        HEAD + SERVER + "schema: [{name: t, properties: [id]}]\n",
        "schema[0].properties[0]",
        "'id' is not an object",
    ),
    "a key that is no boolean": (
        HEAD + SERVER + SCHEMA.replace("true", "maybe"),
        "schema[0].properties[0].primaryKey",
        "'maybe' is not true or false",
    ),
    "a port that is a word": (
        HEAD + SERVER.replace("5432", "'${PORT}'") + SCHEMA,
        "servers[0].port",
        "not well formed",
    ),
    "no host": (HEAD + SERVER.replace("host: h, ", "") + SCHEMA, "servers[0].host", "the key is missing"),
    "a wrong value of ours": (
        HEAD + SERVER + SCHEMA + "customProperties: [{property: dagfactory.consistency, value: all}]\n",
        "customProperties[0].value",
        "'all' is not known",
    ),
    "a key twice": (HEAD + HEAD, None, "is given twice"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_contract_is_one_problem_with_its_place(name, tmp_path):
    text, path, what = BAD[name]
    file = tmp_path / "bad.odcs.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ProblemsFound) as caught:
        imported(file)
    (problem,) = caught.value.problems
    assert what in problem.what
    assert problem.path == (path or "")
    assert problem.todo
    assert problem.line is not None or path == "" or name == "empty"


def written(folder: Path, text: str) -> Path:
    (folder / "c.odcs.yaml").write_text(text)
    return folder / "c.odcs.yaml"


def test_a_file_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(FileUnreadable, match="No such file"):
        imported(tmp_path / "none.yaml")


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "c.yaml").symlink_to(PAYMENTS)
    with pytest.raises(ProblemsFound, match="leads out"):
        imported(tmp_path / "inside" / "c.yaml")


def test_a_source_that_no_batch_reads_is_refused_with_what_to_do(tmp_path):
    file = written(tmp_path, HEAD + "servers: [{server: s, type: kafka, host: h}]\n" + SCHEMA)
    with pytest.raises(SourceNotReadable, match=r"a server of type kafka.*by --dsn") as caught:
        imported(file)
    assert caught.value.path == "servers[0].type"
    store, places = imported(file, Choice(source=database_of_dsn("mysql://pg/landing", None)))
    assert (store.source.kind, store.source.port, store.source.credential) == (SourceKind.MYSQL, 3306, "landing")
    assert places == ["6 servers[0]"]


def test_a_contract_without_servers_needs_a_dsn(tmp_path):
    file = written(tmp_path, HEAD + SCHEMA)
    with pytest.raises(SourceNotReadable, match="names no server"):
        imported(file)
    store, places = imported(file, Choice(source=database_of_dsn("postgresql://h/d?schema=s", "secret")))
    assert store.source == Database("h", "d", "secret", schema="s")
    assert places == []


def test_a_server_is_chosen_by_its_name(tmp_path):
    with pytest.raises(UnknownName) as caught:
        imported(PAYMENTS, Choice(server="legder"))
    assert caught.value.known == ("lake", "ledger")


def test_a_dsn_is_never_shown(tmp_path):
    with pytest.raises(DsnMalformed) as caught:
        database_of_dsn("nosuch://me:geheim@h/d", None)
    assert "geheim" not in str(caught.value)


def test_a_contract_whose_tables_have_no_key_gives_nothing(tmp_path):
    with pytest.raises(NothingToImport):
        imported(written(tmp_path, HEAD + SERVER + SCHEMA.replace(", primaryKey: true", "")))


def test_a_host_that_the_model_cannot_have_is_refused(tmp_path):
    with pytest.raises(DatastoreRefused) as caught:
        imported(written(tmp_path, HEAD + SERVER.replace("host: h", "host: '${HOST}'") + SCHEMA))
    assert (caught.value.option, caught.value.path) == ("--dsn", "datastores[0].source.host")


def test_a_column_that_the_rules_refuse_is_left_out_with_its_place(tmp_path):
    schema = SCHEMA.replace("}]}]", "}, {name: xmin, physicalType: int}]}]")
    store, places = imported(written(tmp_path, HEAD + SERVER + schema))
    assert [column.name for column in store.datasets[0].columns] == ["id"]
    assert places == ["7 schema[0].properties[1]"]


@pytest.mark.parametrize(
    ("physical", "logical", "kind"),
    [
        ("varchar[15]", "string", "varchar(15)"),  # as the standard's example writes a length
        ("varchar[2147483647]", "string", "text"),
        ("varchar[]", "string", "text"),
        ("int4", "array", "jsonb"),
        ("Name", "string", "text"),  # somebody's domain
        ("INT", "integer", "INT"),
        ("mood", None, None),
        ('"Mood"', None, '"Mood"'),
        ("NUMBER(5)", "number", "numeric"),
        ("timestamp", "timestamp", "timestamp"),
    ],
)
def test_a_type_is_one_of_postgresql_that_the_logical_type_does_not_contradict(physical, logical, kind, tmp_path):
    says = f", logicalType: {logical}" if logical else ""
    more = f"{{name: c, physicalType: '{physical}'{says}}}"
    store, places = imported(written(tmp_path, HEAD + SERVER + SCHEMA.replace("}]}]", f"}}, {more}]}}]")))
    assert [column.type for column in store.datasets[0].columns[1:]] == ([kind] if kind else [])
    assert ("7 schema[0].properties[1].physicalType" in places) == (kind != physical)


def test_types_of_another_database_are_not_taken_for_postgresql_s(tmp_path):
    more = "{name: c, physicalType: int(11), logicalType: integer}"
    text = HEAD + SERVER.replace("postgres", "mysql") + SCHEMA.replace("}]}]", f"}}, {more}]}}]")
    store, places = imported(written(tmp_path, text))
    assert (store.source.kind, store.datasets[0].columns[1].type) == (SourceKind.MYSQL, "bigint")
    assert "7 schema[0].properties[1].physicalType" in places


def test_a_key_that_the_contract_does_not_say_is_given(tmp_path):
    file = written(tmp_path, HEAD + SERVER + SCHEMA.replace(", primaryKey: true", ""))
    store, places = imported(file, Choice(keys={"t": ("id",)}))
    assert (store.datasets[0].primary_key, store.datasets[0].columns[0].nullable) == (("id",), False)
    assert places == []
    with pytest.raises(UnknownName):
        imported(file, Choice(keys={"u": ("id",)}))
    with pytest.raises(NothingToImport):
        imported(file, Choice(keys={"t": ("nr",)}))


def test_a_contract_without_a_name_has_that_of_its_file(tmp_path):
    file = tmp_path / "shop orders.odcs.yaml"
    file.write_text((HEAD + SERVER + SCHEMA).replace("name: Shop\n", ""))
    assert imported(file)[0].name == "shop_orders"


def test_the_words_of_version_3_0_are_read(tmp_path):
    """A team is a list of people there, and a metric is called rule."""
    text = (HEAD + SERVER).replace("v3.1.0", "v3.0.2") + "team: [{username: ada}]\n"
    checked = SCHEMA.replace("primaryKey: true", "primaryKey: true, quality: [{rule: nullValues, mustBe: 0}]")
    store, places = imported(written(tmp_path, text + checked))
    assert store.datasets[0].checks == (NotNull("not_null_id", Severity.WARN, ("id",)),)
    assert places == ["7 team"]


@pytest.mark.parametrize(
    ("quality", "check"),
    [
        (
            "{metric: nullValues, mustBeLessOrEqualTo: 5, unit: percent}",
            Completeness("completeness_c", WARN, ("c",), 0.95),
        ),
        ("{metric: nullValues, mustBeLessThan: 5, unit: percent}", None),
        ("{metric: nullValues, mustBe: 0, unit: percent}", NotNull("not_null_c", WARN, ("c",))),
        ("{metric: duplicateValues, mustBe: 0}", Unique("unique_c", WARN, ("c",))),
        (
            "{metric: invalidValues, mustBe: 0, arguments: {validValues: [a, 'no']}}",
            AcceptedValues("accepted_values_c", WARN, "c", ("a", "no")),
        ),
        ("{metric: invalidValues, mustBe: 0, arguments: {validValues: [a, null]}}", None),
        ("{metric: invalidValues, mustBe: 0, arguments: {pattern: '^a'}}", Pattern("pattern_c", WARN, "c", "^a")),
        ("{metric: invalidValues, mustBeLessThan: 9, arguments: {pattern: '^a'}}", None),
        ("{metric: missingValues, mustBe: 0}", None),
        ("{metric: rowCount, mustBe: 0}", None),  # of a column, there is none
        ("{type: sql, query: SELECT 1, mustBe: 1}", None),
        ("{type: custom, engine: soda, implementation: 'x'}", None),
        ("{type: text, name: nice}", None),
    ],
)
def test_a_metric_is_a_check_if_the_model_says_the_same(quality, check, tmp_path):
    more = f"{{name: c, physicalType: text, quality: [{quality}]}}"
    store, places = imported(written(tmp_path, HEAD + SERVER + SCHEMA.replace("}]}]", f"}}, {more}]}}]")))
    assert store.datasets[0].checks == ((check,) if check else ())
    assert places == ([] if check else ["7 schema[0].properties[1].quality[0]"])


@pytest.mark.parametrize(
    ("bounds", "low", "high"),
    [
        ("mustBe: 5", 5, 5),
        ("mustBeGreaterThan: 5", 6, None),
        ("mustBeGreaterOrEqualTo: 5", 5, None),
        ("mustBeLessThan: 5", None, 4),
        ("mustBeLessOrEqualTo: 5", None, 5),
        ("mustBeBetween: [5, 9]", 5, 9),
    ],
)
def test_bounds_of_a_row_count_are_the_model_s(bounds, low, high, tmp_path):
    schema = SCHEMA.replace("{name: t,", f"{{name: t, quality: [{{metric: rowCount, {bounds}}}],")
    store, _ = imported(written(tmp_path, HEAD + SERVER + schema))
    assert store.datasets[0].checks == (RowCount("row_count", WARN, low, high),)


@pytest.mark.parametrize(
    ("server", "source", "table", "files"),
    [
        (
            "type: s3, location: 's3://prices/daily/*.csv', format: csv, delimiter: ';', encoding: ISO-8859-1",
            Database("s3.amazonaws.com", "s3://prices/daily", "s", 443, kind=SourceKind.FILES),
            "*.csv",
            FileOptions(FileFormat.CSV, delimiter=";", encoding="latin-1"),
        ),
        (
            "type: s3, location: 's3://prices/{model}/*.json', format: json, delimiter: new_line, "
            "endpointUrl: 'http://minio:9000'",
            Database("minio", "s3://prices", "s", 9000, kind=SourceKind.FILES, tls=Tls.DISABLE),
            "t/*.json",
            FileOptions(FileFormat.JSON_LINES),
        ),
        (
            "type: local, path: /data/in/t.parquet, format: parquet",
            Database("localhost", "/data/in", "s", kind=SourceKind.FILES),
            "t.parquet",
            FileOptions(FileFormat.PARQUET),
        ),
    ],
)
def test_a_server_with_files_is_a_source_of_files(server, source, table, files, tmp_path):
    text = HEAD + f"servers: [{{server: s, {server}}}]\n" + SCHEMA
    store, places = imported(written(tmp_path, text))
    assert (store.source, store.consistency) == (source, Consistency.SINGLE_DATASET)
    assert (store.datasets[0].source_table, store.datasets[0].files) == (table, files)
    assert places == []


def test_a_list_in_files_is_json(tmp_path):
    server = "servers: [{server: f, type: local, path: /d/*.json, format: json}]\n"
    tags = "}, {name: tags, logicalType: array, items: {logicalType: string}}]"
    store, _ = imported(written(tmp_path, HEAD + server + SCHEMA.replace("}]", tags, 1)))
    assert [one.type for one in store.datasets[0].columns] == ["int", "jsonb"]
    store, _ = imported(written(tmp_path, HEAD + SERVER + SCHEMA.replace("}]", tags, 1)))
    assert [one.type for one in store.datasets[0].columns] == ["int", "text[]"]


def test_a_database_comes_before_files_and_several_tables_need_a_pattern_each(tmp_path):
    both = "servers: [{server: f, type: local, path: /d/*.csv, format: csv}, " + SERVER.removeprefix("servers: [")
    assert imported(written(tmp_path, HEAD + both + SCHEMA))[0].source.kind is SourceKind.POSTGRESQL
    files = "servers: [{server: f, type: local, path: /d/*.csv, format: csv}]\n"
    two = SCHEMA.replace(
        "}]}]", "}]}, {name: u, physicalName: u.csv, properties: [{name: id, physicalType: int, primaryKey: true}]}]"
    )
    store, places = imported(written(tmp_path, HEAD + files + two))
    assert [one.source_table for one in store.datasets] == ["t", "u.csv"]
    assert places == ["6 servers"]


@pytest.mark.parametrize(
    ("server", "path"),
    [
        ("type: s3, location: 's3://b/*.avro', format: avro", "servers[0].format"),
        ("type: s3, location: 's3://b/*.json', format: json, delimiter: array", "servers[0].delimiter"),
    ],
)
def test_a_format_that_no_batch_reads_is_refused(server, path, tmp_path):
    with pytest.raises(SourceNotReadable) as caught:
        imported(written(tmp_path, HEAD + f"servers: [{{server: s, {server}}}]\n" + SCHEMA))
    assert caught.value.path == path


def test_a_place_that_is_no_folder_and_no_bucket_is_refused(tmp_path):
    with pytest.raises(DatastoreRefused, match="neither a folder nor a bucket"):
        imported(written(tmp_path, HEAD + "servers: [{server: s, type: local, path: ./a.csv, format: csv}]\n" + SCHEMA))


def test_a_folder_without_contracts_and_a_name_for_several_are_refused(tmp_path):
    with pytest.raises(ValueWrong, match="a folder without contracts"):
        contract_files([tmp_path])
    with pytest.raises(ValueWrong, match="one of 2 contracts"):
        import_contracts([PAYMENTS, PAYMENTS], Choice(name="One"), [], to_files=False)


def test_a_whole_model_needs_a_folder(tmp_path):
    text = (
        HEAD + "customProperties: [{property: dagfactory.ecosystem, value: {name: E, platforms: [], datastores: []}}]\n"
    )
    with pytest.raises(ProblemsFound, match="the list has 0 items"):
        import_contracts([written(tmp_path, text)], Choice(), [], to_files=True)
