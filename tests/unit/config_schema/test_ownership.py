"""What a change may touch: real repositories, changed by those who own the parts and by those who do not."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import config_schema
from config_schema.errors import UnknownName
from config_schema.load import load_model
from config_schema.load.base import ownership_problems
from config_schema.load.git_errors import HistoryMissing, RevisionMissing
from config_schema.model import Team
from config_schema.model.ownership import Author, ecosystem_changes, refusals, teams_of

EXAMPLES = Path(config_schema.__file__).parent / "examples"
PLATFORM = Author("company/model", "platform/new-schedule")
CRM = Author("Company/Model", "crm/phone")
CALLCENTRE = Author("callcentre/model", "main")
STRANGER = Author("somebody/fork", "main")
CUSTOMERS = "ecosystem/crm/customers.yaml"
DESK = "ecosystem/callcentre.yaml"
MAPPING = "dsg_platform_mapping.json"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "Change")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model in a folder of a repository, whose branch main is the base."""
    git(tmp_path, "init", "-q", "-b", "main")
    shutil.copytree(EXAMPLES / "teams", tmp_path / "model")
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "change")
    return tmp_path / "model"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def refused(folder: Path, author: Author, base: str = "main") -> list[str]:
    return [str(problem) for problem in ownership_problems(folder, base, author)]


def test_without_a_change_nobody_is_refused(folder):
    (folder / "README.md").write_text("About this model.")
    edit(folder / CUSTOMERS, "datastores:", "# The shop's.\ndatastores:")
    assert refused(folder, STRANGER) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "owner"),
    [
        (CUSTOMERS, "varchar(100)", "varchar(200)", CRM),
        (CUSTOMERS, "Gone in 2027", "Gone in 2028", CRM),
        (DESK, "latency_seconds: 300", "latency_seconds: 600", CALLCENTRE),
        (DESK, "masks: true", "may_see: [internal, pii]", None),
        (DESK, "masks: true", "masks: true\n    may_see: [internal, pii]", PLATFORM),
        ("ecosystem.yaml", "*/5 * * * *", "* * * * *", PLATFORM),
        ("ecosystem.yaml", "crm/*", "crm*", PLATFORM),
        (MAPPING, '"PROVISIONED"', '"DECOMMISSIONING"', PLATFORM),
        (MAPPING, "Who is on the phone", "Who calls", PLATFORM),
    ],
)
def test_a_part_is_changed_by_its_owner_and_by_nobody_else(folder, file, old, new, owner):
    edit(folder / file, old, new)
    if file != MAPPING:  # what is not committed counts too
        commit(folder)
    for author in (PLATFORM, CRM, CALLCENTRE, STRANGER, Author()):
        assert bool(refused(folder, author)) is (author is not owner), author


def test_a_refusal_says_what_whose_where_and_who_could(folder):
    edit(folder / CUSTOMERS, "varchar(100)", "varchar(200)")
    edit(folder / MAPPING, '"PROVISIONED"', '"DECOMMISSIONING"')
    assert refused(folder, CALLCENTRE) == [
        "ecosystem/crm/customers.yaml:3: datastores[0]: the datastore Customers belongs to crm, and this change "
        "comes from callcentre/model main. Let crm make it, from company/model crm/* [DF1501]",
        "dsg_platform_mapping.json:2: [0]: the assignment of Callers of CallCentre to Live belongs to platform, and "
        "this change comes from callcentre/model main. Let platform make it, from company/model platform/* [DF1501]",
    ]
    assert "comes from nobody knows whom" in refused(folder, Author())[0]


def test_a_team_that_is_said_to_make_the_change_is_believed_and_must_be_there(folder):
    edit(folder / CUSTOMERS, "varchar(100)", "varchar(200)")
    assert refused(folder, Author(teams=("callcentre", "crm"))) == []
    assert "comes from team callcentre." in refused(folder, Author(teams=("callcentre",)))[0]
    with pytest.raises(UnknownName) as raised:
        refused(folder, Author(teams=("crn",)))
    assert (raised.value.kind, raised.value.name) == ("team", "crn")


def test_nobody_becomes_the_owner_by_the_change_itself(folder):
    edit(
        folder / "ecosystem.yaml",
        "  - name: platform\n",
        "  - {name: pirates, repository: somebody/fork}\n  - name: platform\n",
    )
    edit(folder / CUSTOMERS, "owner: crm", "owner: pirates")
    teams, store = refused(folder, STRANGER)
    assert "the list of teams belongs to platform" in teams
    assert "the datastore Customers belongs to crm" in store


def test_whoever_takes_a_platform_has_not_its_assignments_by_the_same_change(folder):
    edit(folder / "ecosystem.yaml", "    owner: platform\n    milestoning", "    owner: crm\n    milestoning")
    edit(folder / MAPPING, '"PROVISIONED"', '"DECOMMISSIONING"')
    platform, assignment = refused(folder, CRM)
    assert "the platform Live belongs to platform" in platform
    assert "the assignment of Callers of CallCentre to Live belongs to platform" in assignment


def test_a_new_workspace_sees_what_all_do_unless_the_ecosystems_owner_says_more(folder):
    text = (folder / DESK).read_text().replace("name: CallCentre", "name: Fraud")
    (folder / "ecosystem" / "fraud.yaml").write_text(text)
    entries = json.loads((folder / MAPPING).read_text())
    more = [{**one, "workspace": "Fraud", "assignments": []} for one in entries]
    (folder / MAPPING).write_text(json.dumps([*entries, *more]))
    assert refused(folder, CALLCENTRE) == []
    edit(folder / "ecosystem" / "fraud.yaml", "masks: true", "may_see: [internal, pii]")
    [reported] = refused(folder, CALLCENTRE)
    assert reported.startswith("ecosystem/fraud.yaml:5: workspaces[0].may_see: what Fraud may see belongs to platform")


OWN = """
datastores:
  - name: Shadow
    owner: callcentre
    {more}
    source: {{host: {host}, database: {database}, credential: {credential}}}
    datasets:
      - name: anything
        table: {table}
        primary_key: [id]
        columns: [{{name: id, type: varchar(20), nullable: false}}]
"""


def declare(folder: Path, **changed: str) -> None:
    """A new datastore of the call centre's, with a source of its own where nothing else is said."""
    own = {"host": "own-data", "database": "own_db", "credential": "own", "table": "things", "more": ""}
    (folder / "ecosystem" / "own.yaml").write_text(OWN.format(**own | changed))


@pytest.mark.parametrize(
    ("changed", "whose"),
    [
        ({"host": "pg-data", "database": "customer_db", "table": "customers"}, "the table public.customers"),
        ({"host": "PG-Data.", "database": "Customer_DB", "table": "Customers"}, "the table public.Customers"),
        ({"credential": "postgres"}, "the secret postgres"),
        ({"credential": "git"}, "the secret git"),
        ({"credential": "slack"}, "the secret slack"),
        ({"host": "pg-data", "database": "merge", "table": "live_Customers_customers_merge"}, "the database merge"),
    ],
)
def test_what_others_have_is_not_to_be_had_by_a_datastore_of_one_s_own(folder, changed, whose):
    declare(folder)
    assert refused(folder, CALLCENTRE) == []
    declare(folder, **changed)
    [problem] = refused(folder, CALLCENTRE)
    assert "ecosystem/own.yaml:3: datastores[0]: " + whose in problem
    assert "which Shadow names, belongs to" in problem
    assert "or write callcentre into shared_with of its part" in problem


def test_an_owner_s_word_lets_others_name_what_is_its_own(folder):
    git(folder, "checkout", "-q", "main")
    edit(folder / CUSTOMERS, "    owner: crm\n", "    owner: crm\n    shared_with: [callcentre]\n")
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    taken = {"host": "pg-data", "database": "customer_db", "table": "customers", "credential": "customer-db"}
    declare(folder, **taken)
    assert refused(folder, CALLCENTRE) == []


def test_nobody_shares_with_itself_what_is_another_s(folder):
    declare(folder, credential="customer-db", more="shared_with: [callcentre]")
    assert len(refused(folder, CALLCENTRE)) == 1
    edit(folder / CUSTOMERS, "    owner: crm\n", "    owner: crm\n    shared_with: [callcentre]\n")
    assert len(refused(folder, CALLCENTRE)) == 2


def test_a_part_of_one_s_own_does_not_move_to_what_others_have(folder):
    git(folder, "checkout", "-q", "main")
    declare(folder)
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    edit(folder / "ecosystem" / "own.yaml", "credential: own", "credential: customer-db")
    [problem] = refused(folder, CALLCENTRE)
    assert "the secret customer-db, which Shadow names, belongs to crm" in problem


def test_a_part_that_is_given_away_takes_nothing_of_its_new_owner_along(folder):
    git(folder, "checkout", "-q", "main")
    declare(folder)
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    edit(folder / "ecosystem" / "own.yaml", "owner: callcentre", "owner: crm")
    assert refused(folder, CALLCENTRE) == []
    edit(folder / "ecosystem" / "own.yaml", "credential: own", "credential: customer-db")
    [problem] = refused(folder, CALLCENTRE)
    assert "the secret customer-db, which Shadow names, belongs to crm" in problem
    assert refused(folder, Author(teams=("callcentre", "crm"))) == []


SOURCE_OF_CRM = "{host: pg-data, database: customer_db, credential: customer-db, tls: require}"

FOLDERS = {
    "another pattern": ("/data/in", "[c]ustomers.csv"),
    "another word for the folder": ("/data//./in/", "customers.csv"),
    "a folder above": ("/data", "*/customers.csv"),
    "the folder in the pattern": ("/data", "in/other.csv"),
    "the root": ("/", "*/*/customers.csv"),
    "a folder in it": ("/data/in/old", "customers.csv"),
}


@pytest.mark.parametrize(("place", "pattern"), FOLDERS.values(), ids=FOLDERS)
@pytest.mark.parametrize("root", ["", "s3://bucket"])
def test_files_are_their_owner_s_by_whatever_pattern_matches_them(folder, place, pattern, root):
    place = place if not root else place.replace("//.", "")  # only on a disk it is the same folder
    of_files = {"host": "data, kind: files", "more": "consistency: single_dataset"}
    crm = {**of_files, "database": f"{root}/data/in", "credential": "crm", "table": "customers.csv"}
    git(folder, "checkout", "-q", "main")
    declare(folder, **crm)
    own = (folder / "ecosystem" / "own.yaml").read_text()
    (folder / "ecosystem" / "files.yaml").write_text(own.replace("Shadow", "Files").replace("callcentre", "crm"))
    (folder / "ecosystem" / "own.yaml").unlink()
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    declare(folder, **of_files, database=f"{root}/data/other", table="customers.csv")
    assert refused(folder, CALLCENTRE) == []
    commit(folder)
    git(folder, "branch", "-f", "main")
    # Not even who has files beside it may read it from above.
    declare(folder, **of_files, database=root + place, table=f'"{pattern}"')
    assert any("belongs to" in problem for problem in refused(folder, CALLCENTRE))
    declare(folder, **of_files, database=f"{root}/data/third", table="customers.csv")
    assert refused(folder, CALLCENTRE) == []


@pytest.mark.parametrize(
    ("theirs", "other_words", "another"),
    [
        (
            "kind: sqlite, database: /data/crm.db",
            ["/data/./crm.db", "//data/crm.db", "/data//crm.db", "/other/../data/crm.db"],
            "/data/CRM.db",
        ),
        (
            "kind: mysql, database: crm",
            ["CRM", "own, schema: crm", "own, schema: CRM"],
            "crm, schema: own",
        ),
        (
            "kind: mssql, database: crm",
            ["crm, schema: dbo", "crm, schema: DBO", "own, schema: crm.dbo", 'own, schema: "[crm].dbo"'],
            "crm, schema: own",
        ),
        ("kind: oracle, database: crm, schema: sales", ["crm, schema: SALES"], "crm, schema: own"),
    ],
    ids=["sqlite", "mysql", "mssql", "oracle"],
)
def test_a_table_is_its_owner_s_by_whatever_words_its_server_takes(folder, theirs, other_words, another):
    git(folder, "checkout", "-q", "main")
    edit(folder / CUSTOMERS, SOURCE_OF_CRM, f"{{host: data, {theirs}, credential: crm}}")
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    kind = theirs.partition(",")[0]
    declare(folder, host=f"data, {kind}", database=another, table="customers")
    assert refused(folder, CALLCENTRE) == []
    for words in other_words:
        declare(folder, host=f"data, {kind}", database=words, table="customers")
        [problem] = refused(folder, CALLCENTRE)
        assert "the table customers" in problem
        assert "belongs to crm" in problem


SINGLE = "consistency: single_dataset"
PLATFORM_OF_OWN = """
platforms:
  - name: Ours
    owner: callcentre
    milestoning: live
    namespace: {namespace}
    image: registry.example/ours:1
    runner: {runner}
    merge_store: {{host: {host}, database: {database}, credential: {credential}}}
    slack_credential: {slack}
    model: {{url: "{url}"}}
"""


@pytest.mark.parametrize(
    ("changed", "whose"),
    [
        ({}, None),
        # Jobs in a namespace of its own have other secrets, but sync takes those of all platforms from one place.
        ({"credential": "postgres"}, "the secret postgres"),
        ({"credential": "customer-db"}, "the secret customer-db"),
        ({"host": "pg-data", "credential": "postgres"}, "the secret postgres"),
        ({"url": "https://git.example/callcentre/model.git"}, None),  # the server that gets the token anyway
        ({"url": "/srv/model"}, None),
        ({"url": "https://GIT.example.:443/x"}, None),
        ({"url": "https://own.example/company/model.git"}, "the secret git"),
        ({"url": "http://git.example/company/model.git"}, "the secret git"),
        ({"url": "https://git.example:444/company/model.git"}, "the secret git"),
        ({"url": "https://git.example@own.example/company/model.git"}, "the secret git"),
        ({"namespace": "ns-live"}, "the namespace ns-live"),
        ({"host": "pg-data", "database": "merge"}, "the database merge"),
        ({"host": "pg-data", "database": "customer_db"}, "the database customer_db"),
        ({"runner": "process", "slack": "customer-db"}, "the secret customer-db"),
    ],
)
def test_a_platform_of_one_s_own_reaches_nothing_of_others(folder, changed, whose):
    platform_of_own(folder, **changed)
    found = [
        one for one in refused(folder, CALLCENTRE) if changed.get("runner") != "process" or "secret git" not in one
    ]
    assert [(whose or "") in one for one in found] == ([True] if whose else [])


def platform_of_own(folder: Path, **changed: str) -> None:
    """A new platform of the call centre's, in a namespace of its own where nothing else is said."""
    own = {"namespace": "ns-ours", "host": "own", "database": "own", "credential": "own", "runner": "kubernetes"}
    more = {"slack": "own-slack", "url": "https://git.example/company/model.git"}
    (folder / "ecosystem" / "platform.yaml").write_text(PLATFORM_OF_OWN.format(**own | more | changed))


LAKE = "ns-ours\n    lake: {{warehouse: 'file://{}'}}"


def of_folders(problems: list[str]) -> list[str]:
    return [one for one in problems if "the folder" in one]


@pytest.mark.parametrize("warehouse", ["/data/in", "/data", "/data/in/lake"])
def test_a_lake_takes_no_folder_in_which_others_have_files(folder, warehouse):
    git(folder, "checkout", "-q", "main")
    declare(folder, host="data, kind: files", database="/data/in", credential="crm", table="c.csv", more=SINGLE)
    (folder / "ecosystem" / "own.yaml").rename(folder / "ecosystem" / "files.yaml")
    edit(folder / "ecosystem" / "files.yaml", "callcentre", "crm")
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    platform_of_own(folder, runner="process", namespace=LAKE.format("/data/lake"))
    assert of_folders(refused(folder, CALLCENTRE)) == []
    platform_of_own(folder, runner="process", namespace=LAKE.format(warehouse))
    assert "belongs to crm" in of_folders(refused(folder, CALLCENTRE))[0]


@pytest.mark.parametrize(
    ("place", "pattern"), [("/mnt/lake/x", "*.parquet"), ("/mnt", "*/x/*.parquet"), ("/mnt/lake", "a.csv")]
)
def test_nobody_reads_the_files_of_a_lake_of_others(folder, place, pattern):
    git(folder, "checkout", "-q", "main")
    platform_of_own(folder, runner="process", namespace=LAKE.format("/mnt/lake"))
    edit(folder / "ecosystem" / "platform.yaml", "owner: callcentre", "owner: platform")
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    declare(folder, host="data, kind: files", database="/mnt/own", table="a.csv", more=SINGLE)
    assert of_folders(refused(folder, CALLCENTRE)) == []
    declare(folder, host="data, kind: files", database=place, table=f'"{pattern}"', more=SINGLE)
    assert "belongs to platform" in of_folders(refused(folder, CALLCENTRE))[0]


@pytest.mark.parametrize("secret", ["git", "slack"])
def test_a_name_that_one_s_platform_has_in_its_own_namespace_is_no_right_to_what_has_it_elsewhere(folder, secret):
    git(folder, "checkout", "-q", "main")
    platform_of_own(folder, slack="slack")
    assert refused(folder, CALLCENTRE) == []
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    declare(folder, credential=secret)
    [problem] = refused(folder, CALLCENTRE)
    assert f"the secret {secret}, which Shadow names, belongs to platform" in problem


def test_a_table_of_one_s_own_in_the_database_of_others_is_no_right_to_write_into_it(folder):
    git(folder, "checkout", "-q", "main")
    declare(folder, host="pg-data", database="customer_db")
    assert refused(folder, CALLCENTRE) == []
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    platform_of_own(folder, host="pg-data", database="customer_db")
    [problem] = refused(folder, CALLCENTRE)
    assert "the database customer_db on pg-data, which Ours names, belongs to platform" in problem


def test_where_the_ecosystem_has_no_owner_a_secret_of_two_teams_goes_to_no_other_server_by_the_word_of_one():
    (one, *_) = load_model(EXAMPLES / "teams").ecosystem.platforms
    ours, theirs = replace(one, name="Ours", owner="us"), replace(one, name="Theirs", owner="them")
    before = replace(load_model(EXAMPLES / "teams").ecosystem, owner=None, platforms=(ours, theirs))
    elsewhere = replace(theirs, model=replace(theirs.model, url="https://own.example/m.git"))
    changes = list(ecosystem_changes(before, replace(before, platforms=(ours, elsewhere))))
    [(_, what, _)] = refusals(changes, Author(teams=("them",)), before)
    assert "the secret git, which Theirs names, belongs to us" in what
    assert list(refusals(changes, Author(teams=("them", "us")), before)) == []


def test_the_token_of_others_does_not_follow_a_platform_to_another_server(folder):
    git(folder, "checkout", "-q", "main")
    platform_of_own(folder)
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    file = folder / "ecosystem" / "platform.yaml"
    edit(file, "git.example", "git.example:443")
    assert refused(folder, CALLCENTRE) == []
    edit(file, "git.example:443", "own.example")
    [problem] = refused(folder, CALLCENTRE)
    assert "the secret git, which Ours names, belongs to platform" in problem


CODE = """
import pathlib, yaml
from config_schema.load.documents import structured
from config_schema.model import Ecosystem
def createEcosystem():
    data = yaml.safe_load(pathlib.Path("data.txt").read_text())
    return structured(data, Ecosystem)
"""


def as_code(folder: Path) -> None:
    """Put code in the place of ecosystem.yaml, that gives the same."""
    from config_schema.load.parts import gathered

    data = gathered(folder).data
    (folder / "data.txt").write_text(json.dumps(data))
    (folder / "eco.py").write_text(CODE)
    (folder / "ecosystem.yaml").unlink()
    shutil.rmtree(folder / "ecosystem")


def test_code_in_the_place_of_yaml_is_the_ecosystem_s_owner_s_to_bring_in(folder):
    as_code(folder)
    for author in (CRM, CALLCENTRE, STRANGER):
        found = refused(folder, author)
        assert any("eco.py: code of the model, eco.py, belongs to platform" in one for one in found)
        assert any("ecosystem.yaml: code of the model, ecosystem.yaml, belongs to platform" in one for one in found)
    assert refused(folder, PLATFORM) == []


def test_code_is_changed_by_the_ecosystem_s_owner_and_data_that_it_reads_by_the_owners_of_the_parts(folder):
    git(folder, "checkout", "-q", "main")
    as_code(folder)
    (folder / "shared").mkdir()
    (folder / "shared" / "beside.py").write_text("X = 1")
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    edit(folder / "data.txt", "varchar(100)", "varchar(200)")
    assert refused(folder, CRM) == []
    assert len(refused(folder, CALLCENTRE)) == 1
    edit(folder / "shared" / "beside.py", "X = 1", "X = 2")
    assert any("shared/beside.py: code of the model" in one for one in refused(folder, CRM))


def test_an_owner_gives_a_part_away(folder):
    edit(folder / CUSTOMERS, "owner: crm", "owner: callcentre")
    assert refused(folder, CRM) == []
    assert len(refused(folder, CALLCENTRE)) == 1


@pytest.mark.parametrize(("author", "count"), [(CRM, 0), (PLATFORM, 0), (CALLCENTRE, 1), (STRANGER, 1)])
def test_a_new_part_comes_from_its_owner_or_from_the_ecosystems(folder, author, count):
    text = (folder / CUSTOMERS).read_text().replace("name: Customers", "name: Orders")
    (folder / "ecosystem" / "crm" / "orders.yaml").write_text(text)
    found = refused(folder, author)
    assert len(found) == count
    assert all(
        "ecosystem/crm/orders.yaml:3: datastores[0]: the new datastore Orders belongs to crm" in one for one in found
    )


def test_what_is_removed_is_its_owners_too(folder):
    entries = json.loads((folder / MAPPING).read_text())
    (folder / DESK).unlink()
    (folder / MAPPING).write_text("[]")
    reported = refused(folder, CRM)
    assert len(reported) == 3
    assert "the workspace CallCentre, which is removed, belongs to callcentre" in reported[0]
    assert "the assignment of Callers of CallCentre to Live belongs to platform" in reported[1]
    assert "that no platform serves Trial of CallCentre belongs to callcentre" in reported[2]
    entries[0]["assignments"] = []
    (folder / MAPPING).write_text(json.dumps(entries))
    git(folder, "checkout", "-q", "--", DESK)
    assert refused(folder, PLATFORM) == []  # first the platform lets go, then the workspace
    commit(folder)
    git(folder, "branch", "-f", "main")
    (folder / DESK).unlink()
    (folder / MAPPING).write_text("[]")
    assert refused(folder, CALLCENTRE) == []


def test_moving_parts_between_files_and_lines_changes_nothing(folder):
    entries = json.loads((folder / MAPPING).read_text())
    (folder / MAPPING).write_text(json.dumps(entries[::-1]))
    (folder / CUSTOMERS).rename(folder / "ecosystem" / "zz.yaml")
    assert refused(folder, STRANGER) == []


def test_a_model_without_teams_is_everybodys(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")
    for name in ("ecosystem.yaml", MAPPING):
        shutil.copy(EXAMPLES / name, tmp_path)
    commit(tmp_path)
    edit(tmp_path / "ecosystem.yaml", "* * * * *", "*/1 * * * *")
    assert refused(tmp_path, STRANGER) == []


def test_where_there_was_no_model_everything_may_come(folder):
    root = git(folder, "commit-tree", "-m", "Root", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    git(folder, "replace", "--graft", "HEAD", root)
    assert refused(folder, STRANGER, root) == []


def test_a_base_that_is_not_contained_or_not_there_is_an_error(folder):
    git(folder, "checkout", "-q", "main")
    edit(folder / CUSTOMERS, "varchar(100)", "varchar(200)")
    commit(folder)
    git(folder, "checkout", "-q", "change")
    with pytest.raises(HistoryMissing, match="Merge or rebase first") as missing:
        refused(folder, CRM)
    assert missing.value.revision == "main"
    for nothing in ("origin/main", "--all", "HEAD:model"):
        with pytest.raises(RevisionMissing) as missing:
            refused(folder, CRM, nothing)
        assert missing.value.revision == nothing


def test_a_shallow_clone_says_how_to_get_the_history(folder, tmp_path):
    base = git(folder, "rev-parse", "main")
    edit(folder / CUSTOMERS, "varchar(100)", "varchar(200)")
    commit(folder)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{tmp_path}", "shallow")
    git(tmp_path / "shallow", "fetch", "-q", "--depth=1", "origin", "main")
    with pytest.raises(HistoryMissing, match="unshallow"):
        refused(tmp_path / "shallow" / "model", CRM, base)


def test_attributes_do_not_hide_a_part_of_the_base(folder):
    git(folder, "checkout", "-q", "main")
    (folder / ".gitattributes").write_text("* export-ignore\n")
    commit(folder)
    git(folder, "checkout", "-q", "-B", "change")
    edit(folder / CUSTOMERS, "owner: crm", "owner: callcentre")
    assert len(refused(folder, CALLCENTRE)) == 1


@pytest.mark.parametrize(
    ("repository", "branch", "ours"),
    [
        ("crm/model", "crm/a", True),
        ("CRM/Model", "crm/", True),
        ("crm/model", "crm", False),
        ("crm/model", "Crm/a", False),
        ("crm/model", None, False),
        ("crm/model2", "crm/a", False),
        (None, "crm/a", False),
    ],
)
def test_a_change_is_a_teams_by_repository_and_branch(repository, branch, ours):
    team = Team("crm", "crm/model", "crm/*")
    assert teams_of(Author(repository, branch), [team]) == ({"crm"} if ours else set())


def test_a_branch_pattern_knows_no_character_but_the_star():
    assert teams_of(Author("a/b", "x"), [Team("t", "a/b", "?")]) == set()
    assert teams_of(Author("a/b", "x"), [Team("t", "a/b", "[x]")]) == set()
    assert teams_of(Author("a/b", "x"), [Team("t", "a/b")]) == {"t"}
    assert teams_of(Author(None, "x"), [Team("t")]) == set()
    assert teams_of(Author("a/b", "main2"), [Team("t", "A/B", "main"), Team("u", "A/B", "main*")]) == {"u"}


def test_the_example_with_teams_is_a_good_model():
    assert load_model(EXAMPLES / "teams").ecosystem.owner == "platform"
