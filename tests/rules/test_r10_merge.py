"""R10: merges in the ERP."""

from __future__ import annotations

from tests.support.club import Club


def test_r10_by_vanishing(club: Club) -> None:
    """ "an id that vanishes while its email lives on under another id of the same certified snapshot":
    "the base customer moves to the surviving id, with its link, groups and history"."""
    club.erp.group("gold")
    club.erp.put("1", "a@x.fr", groups=["gold"])
    club.sync()
    customer = club.base()["1"]["id"]
    club.link("1")
    club.erp.remove("1")
    club.erp.put("2", "a@x.fr", groups=["gold"])
    club.sync()
    row = club.base()["2"]
    assert (row["id"], row["link"], row["groups"]) == (customer, "linked", ["gold"])
    assert club.kinds() == {"merge": 1}
    assert len(club.base()) == 1


def test_r10_two_records_become_a_third(club: Club) -> None:
    """As Square merges: both ids vanish, and the email of one lives on under a third. Its customer moves there;
    the other's leaves with its record."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.link("1")
    club.erp.remove("1", "2")
    club.erp.put("3", "a@x.fr")
    club.sync()
    assert (club.base()["3"]["id"], club.base()["3"]["link"]) == (customer, "linked")
    assert club.kinds() == {"merge": 1, "deactivation": 1}
    assert club.inside() == {"3"}


def test_r10_the_customer_has_access_as_the_survivor_has(club: Club) -> None:
    """ "and has access as the survivor has"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.remove("1")
    club.erp.put("2", "a@x.fr", status="archived")
    club.sync()
    assert club.base()["2"]["id"] == customer
    assert (club.inside(), club.base()["2"]["reason"]) == (set(), "archived")


def test_r10_stated_by_the_erp_still_listed(club: Club) -> None:
    """ "or that the ERP states as replaced by another (still listed or not)"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.change("1", replaced_by="2")
    club.erp.put("2", "new@x.fr")
    club.sync()
    assert (club.base()["2"]["id"], club.base()["2"]["email"]) == (customer, "new@x.fr")
    assert club.inside() == {"2"}
    assert club.findings(all=True) == {"1": {"RECORD_MERGED"}}


def test_r10_stated_by_the_erp_listed_no_more(club: Club) -> None:
    """The ERP said so earlier, when the survivor was not there yet; then the old record goes."""
    club.erp.put("1", "a@x.fr", replaced_by="2")
    club.erp.put("3", "c@x.fr")
    club.sync()
    assert club.inside() == {"1", "3"}
    customer = club.base()["1"]["id"]
    club.erp.remove("1")
    club.erp.put("2", "other@x.fr")
    club.sync()
    assert club.base()["2"]["id"] == customer
    assert club.inside() == {"2", "3"}


def test_r10_a_chain(club: Club) -> None:
    """1 was merged into 2, 2 into 3: both customers end at 3."""
    for i in "123":
        club.erp.put(i, f"p{i}@x.fr")
    club.sync()
    ids = {k: r["id"] for k, r in club.base().items()}
    club.erp.change("1", replaced_by="2")
    club.erp.change("2", replaced_by="3")
    club.sync()
    assert club.inside() == {"3"}
    assert club.base()["3"]["id"] == ids["3"]
    assert {club.customer(ids[k])["reason"] for k in "12"} == {"merged"}


def test_r10_the_survivor_has_its_own_customer(club: Club) -> None:
    """ "Where the survivor has its own base customer, the other one is deactivated with reason `merged`, and its
    app link goes to the survivor where that has none"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    ids = {k: r["id"] for k, r in club.base().items()}
    user = club.link("1")
    club.erp.change("1", replaced_by="2")
    club.sync()
    assert club.inside() == {"2"}
    assert club.base()["2"]["id"] == ids["2"]
    assert club.customer(ids["1"])["reason"] == "merged"
    links = dict(
        club.rows("select customer, linked_user from base.customer where club = %s", club.number)
    )
    assert links == {ids["1"]: None, ids["2"]: user}
    # the user's email is the old record's: nobody's data is shown before they confirm the new one
    assert club.base()["2"]["link"] == "email_mismatch"


def test_r10_r22_a_link_that_moves_by_a_merge_is_told_at_once_where_the_emails_differ(
    club: Club,
) -> None:
    """R22: a finding "opens when the cause comes, whichever record's change brought it"; R9: it closes by itself."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.link("1")
    club.erp.change("1", replaced_by="2")
    club.sync()
    assert club.findings() == {"2": {"EMAIL_MISMATCH_APP"}}
    club.erp.change("2", email="a@x.fr")
    club.sync()
    assert (club.base()["2"]["link"], club.findings()) == ("linked", {})


def test_r10_r13_the_merged_customer_follows_the_survivors_values(club: Club) -> None:
    """Three-way: the last value of the old record, the survivor's, the base's. What was edited by hand stays; an
    old phone that the survivor does not have does not."""
    for i in "123":
        club.erp.put(i, f"p{i}@x.fr", phone=f"+3360000000{i}")
    club.sync()
    club.edit("2", phone="+33611111111")
    for i in "123":
        club.erp.remove(i)
        club.erp.put(f"1{i}", f"p{i}@x.fr", phone=None if i == "1" else "+33699999999")
    club.sync()
    assert club.kinds()["merge"] == 3
    phones = {key: row["phone"] for key, row in club.base().items()}
    assert phones == {"11": None, "12": "+33611111111", "13": "+33699999999"}
    club.erp.change("12", phone="+33622222222")
    club.sync()
    assert club.base()["12"]["phone"] == "+33622222222"


def test_r10_a_merge_waits_for_a_survivor_that_waits(club: Club) -> None:
    """The survivor is new, and wants an email that somebody keeps whose id is in question (R1): nobody loses access."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.put("2", "c@x.fr", first_name="Zoe", last_name="Zola")
    club.erp.put("3", "b@x.fr")
    club.erp.change("1", replaced_by="3")
    club.sync()
    assert club.inside() == {"1", "2"}
    club.pipeline().decide_identity(club.id, "2", "replace", "Ann")
    assert club.inside() == {"2", "3"}


def test_r10_a_link_of_the_survivors_own_stays(club: Club) -> None:
    """ "where that has none": the survivor's own link is not replaced."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    ids = {k: r["id"] for k, r in club.base().items()}
    one, two = club.link("1"), club.link("2")
    club.erp.change("1", replaced_by="2")
    club.sync()
    links = dict(
        club.rows("select customer, linked_user from base.customer where club = %s", club.number)
    )
    assert links == {ids["1"]: one, ids["2"]: two}


def test_r10_a_duplicate_that_is_merged_away(club: Club) -> None:
    """The club mends a duplicate by merging it: the holder's id vanishes, the other lives on."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.remove("1")
    club.sync()
    assert (club.base()["2"]["id"], club.inside(), club.findings()) == (customer, {"2"}, {})


def test_r10_a_circle_of_replacements_replaces_nobody(club: Club) -> None:
    """Nonsense of the ERP's is no ground to take anybody's access."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.change("1", replaced_by="2")
    club.erp.change("2", replaced_by="1")
    club.sync()
    assert club.inside() == {"1", "2"}


def test_r10_a_successor_that_the_erp_does_not_have(club: Club) -> None:
    """Replaced by an id that is nowhere: the record stands for itself."""
    club.erp.put("1", "a@x.fr", replaced_by="404")
    club.sync()
    assert club.inside() == {"1"}


def test_r10_merges_wait_for_a_certified_snapshot(club: Club) -> None:
    """R14: "deactivation by absence, merges and group lists only from a certified one"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    before = club.base()
    club.erp.remove("1")
    club.erp.put("2", "a@x.fr")
    club.sync(certified=False)
    assert club.base() == before
    club.sync()
    assert club.base()["2"]["id"] == before["1"]["id"]


def test_r10_a_kept_email_is_no_merge(club: Club) -> None:
    """The vanished record's email "lives on" only in the base, with a customer whose ERP record has lost it:
    that is another person."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.change("1", email=None)
    club.erp.put("2", "a@x.fr", status="prospect")
    club.sync()
    club.erp.remove("2")
    club.sync()
    assert club.inside() == {"1"}
    assert "merge" not in club.kinds()


def test_r10_who_was_detached_stays_detached(club: Club) -> None:
    """ "Who was detached stays detached (R12)"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.detach("1")
    club.sync()
    club.erp.remove("1")
    club.erp.put("2", "a@x.fr")
    club.sync()
    assert (club.inside(), club.base()["2"]["detached"]) == (set(), True)
    assert club.findings() == {"2": {"DETACHED"}}


def test_r10_a_survivor_whose_own_customer_goes_elsewhere_takes_the_merged_one_in(
    club: Club,
) -> None:
    """ "the base customer moves to the surviving id": also when the survivor's customer leaves it by an adoption
    (R1) in the same run; nobody ends as merged into a record that stands for nobody."""
    club.erp.put("1", "c@x.fr", status="archived")
    club.erp.put("2", "a@x.fr")
    club.sync()
    club.erp.change("1", status="active")
    club.sync()
    club.erp.change("1", status="archived")
    club.sync()
    one, two = club.base()["1"]["id"], club.base()["2"]["id"]
    club.erp.remove("2")
    club.erp.change("1", email="a@x.fr", status="odd")
    club.erp.put("3", "c@x.fr")
    club.sync()
    base = club.base()
    assert base["3"]["id"] == one  # R1: its own record is no longer eligible
    assert base["1"]["id"] == two
    assert base["1"]["reason"] != "merged"
