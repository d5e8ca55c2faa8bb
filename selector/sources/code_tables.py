"""Facts about codes: which individual stands for a macrolanguage, which codes are retired, which rows stand in.

A macrolanguage code names several languages. Data sets that print one mean its largest or its standard variety, and
that is what `PREFERRED` says. `STAND_INS` goes the other way: where to look in URIEL when a language's own row is thin.
"""

from __future__ import annotations


def _pairs(text: str) -> dict[str, str]:
    return dict(item.split(":") for item in text.split())


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


PREFERRED = _pairs(
    """aka:twi ara:arb aym:ayr aze:azj bal:bgn bik:bcl bnc:lbk bua:bxr chm:mhr cre:crk del:umu den:scs din:dik doi:dgo
    est:ekk fas:pes ful:fuv gba:gya gon:gno grb:grj grn:gug hai:hdn hbs:hrv hmn:mww iku:ike ipk:esi jrb:yhd kau:knc
    kln:niq kok:gom kom:kpv kon:kng kpe:xpe kur:kmr lah:pnb lav:lvs luy:bxk man:mnk mlg:plt mon:khk msa:zsm mwr:rwr
    nep:npi nor:nob oji:ciw ori:ory orm:gaz pus:pbt que:quy raj:wbr rom:rmy san:san sqi:als srd:src swa:swh syr:aii
    tmh:taq uzb:uzn yid:ydd zap:zaw zha:zyb zho:cmn zza:kiu"""
)
"""Macrolanguage → individual language (ISO 639-3). `san` became a macrolanguage only in 2024 and stands for itself."""

TWO_LETTER = _pairs(
    """ak:aka ar:ara ay:aym az:aze cr:cre et:est fa:fas ff:ful gn:grn iu:iku ik:ipk kr:kau kv:kom kg:kon ku:kur lv:lav
    mg:mlg mn:mon ms:msa ne:nep no:nor oj:oji om:orm or:ori ps:pus qu:que sc:srd sh:hbs sq:sqi sw:swa uz:uzb yi:yid
    za:zha zh:zho"""
)
"""ISO 639-1 → macrolanguage, for the two-letter codes that do not name an individual language."""

RETIRED = _pairs("iw:heb in:ind ji:ydd jw:jav mo:ron bh:bho ajp:apc fil:tgl mol:ron scc:srp scr:hrv drw:prs tlf:tgl")
"""Codes withdrawn from the standards (and `fil`, the official name of Tagalog) → today's code."""

NICKNAMES = {
    "farsi": "pes",
    "mandarin": "cmn",
    "cantonese": "yue",
    "hokkien": "nan",
    "taiwanese": "nan",
    "bokmål": "nob",
    "bokmal": "nob",
    "nynorsk": "nno",
    "slovene": "slv",
    "flemish": "nld",
    "kiswahili": "swh",
    "isizulu": "zul",
    "isixhosa": "xho",
    "pashto": "pbt",
    "sorani": "ckb",
    "kurmanji": "kmr",
    "filipino": "tgl",
    "myanmar": "mya",
}
"""Usual English names that ISO 639 does not list."""

STAND_INS = {code: (macro,) for macro, code in PREFERRED.items() if code != macro} | {
    "acm": ("ara",),
    "acq": ("ara",),
    "aeb": ("ara",),
    "apc": ("ara",),
    "ars": ("ara",),
    "ary": ("ara",),
    "arz": ("ara",),
    "awa": ("hin",),
    "azb": ("aze",),
    "bjn": ("msa",),
    "bos": ("hbs",),
    "ckb": ("kur",),
    "dyu": ("bam",),
    "fat": ("aka", "twi"),
    "hne": ("hin",),
    "ind": ("msa",),
    "krl": ("fin",),
    "ltg": ("lav",),
    "lvs": ("lav",),
    "min": ("msa",),
    "nno": ("nor", "nob"),
    "prs": ("fas", "pes"),
    "quz": ("que", "quy"),
    "run": ("kin",),
    "slk": ("ces",),
    "srp": ("hbs",),
    "szl": ("pol",),
    "tsn": ("sot",),
    "uzs": ("uzb",),
    "vro": ("est",),
}
"""Individual language → rows of URIEL that describe it best after its own: its macrolanguage, then its twin, a close
relative by our own judgement. Outside of this package's table the macrolanguage of ISO 639-3 stands in."""

ALONE = _set(
    """akk ast ban bem cjk crh dzo fur glv hsb jav kaz kea kjh kmb lij lim lmo ltz lua mag mdf mlt nhe oci pap pcm san
    shn snd tso tum umb vec war wuu"""
)
"""Languages of the package's table whose row is thin (under a quarter of the syntax observed) and that have no twin."""

LEARNED = {"als": ("alb",), "cmn": ("zho",)}
"""Individual language → further rows of lang2vec's learned vectors (`alb` is ISO 639-2's Albanian)."""

SEVERAL = frozenset(["zho", "hmn", "zap", "mwr"])
"""Macrolanguages whose members differ too much for one row to stand for all (`zho`'s is Mandarin's)."""

ISOLATES = _set(
    """aes akc ana ano anz aqp ash ata atx auc axg bhf blb boq bsa bsk bue bzu cas caz cbu cid con ctm cyb dba dby dem
    duc elx esq eus faa fun gbu gdm ggk gpn gta hru hts iar irn ito kbh kgg kgr khh kla knv kol kto kun kut kuz kxo
    kyh lec lrg lvk mbe mgk moq mrf msl mvs myp myr mzp nce ncz niv nll nrb omc omu oti paz pbb pby ppe prm pue pui
    puq pwa sad sao sbf sbt sei sii sis sln spc sua sux svs tba tbd tcm tdm tit tiw tjm tkm tpy tqu tqw trr tud tun
    uhn ule ulf umr ura vil vkj waq was wba wdj wiu wti xad xak xbn xcm xcn xcw xcy xht xib xoo xwa xxm xxt yae yag
    yet yle ynn yra yuc yuz zkk zun"""
)
"""Languages whose empty family vector in URIEL means no known relative; elsewhere an empty vector means no data.

Chosen among URIEL's empty vectors by hand and checked against Glottolog's tree as qwanqwa 1.2.1 ships it: none of these
has a parent there, but for Nivkh (`niv`), a family that ISO 639-3 counts as one language.
"""
