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
    tmh:taq uzb:uzn yid:ydd zap:zaw zha:zyb zho:cmn zza:diq"""
)
"""Macrolanguage → individual language (ISO 639-3). `san` became a macrolanguage only in 2024 and stands for itself."""

TWO_LETTER = _pairs(
    """ak:aka ar:ara ay:aym az:aze cr:cre et:est fa:fas ff:ful gn:grn iu:iku ik:ipk kr:kau kv:kom kg:kon ku:kur lv:lav
    mg:mlg mn:mon ms:msa ne:nep no:nor oj:oji om:orm or:ori ps:pus qu:que sc:srd sh:hbs sq:sqi sw:swa uz:uzb yi:yid
    za:zha zh:zho"""
)
"""ISO 639-1 → macrolanguage, for the two-letter codes that do not name an individual language."""

RETIRED = _pairs("iw:heb in:ind ji:ydd jw:jav mo:ron bh:bho ajp:apc fil:tgl mol:ron scc:srp scr:hrv drw:prs")
"""Codes withdrawn from the standards (and `fil`, the official name of Tagalog) → today's code."""

WHOLE = _pairs(
    """bat-smg:sgs be-x-old:bel cbk-zam:cbk fiu-vro:vro map-bms:jav jv-x-bms:jav nap-x-tara:nap roa-rup:rup
    roa-tara:nap simple:eng sr-el:srp zh-classical:lzh zh-min-nan:nan
    bn-rom:ben hi-rom:hin my-zaw:mya ns:nso ta-rom:tam te-rom:tel ur-rom:urd
    nob-latn-radical:nob hy-arevmda:hyw hye-arevmda:hyw
    art-lojban:jbo cel-gaulish:xtg i-ami:ami i-bnn:bnn i-hak:hak i-klingon:tlh i-lux:ltz i-navajo:nav i-pwn:pwn
    i-tao:tao i-tay:tay i-tsu:tsu no-bok:nob no-nyn:nno zh-guoyu:cmn zh-hakka:hak zh-xiang:hsn
    sgn-be-fr:sfb sgn-be-nl:vgt sgn-br:bzs sgn-ch-de:sgg sgn-co:csn sgn-de:gsg sgn-dk:dsl sgn-es:ssp sgn-fr:fsl
    sgn-gb:bfi sgn-gr:gss sgn-ie:isg sgn-it:ise sgn-jp:jsl sgn-mx:mfs sgn-nl:dse sgn-no:nsl sgn-pt:psr sgn-se:swl
    sgn-us:ase sgn-za:sfs"""
)
"""Codes that no rule explains, with hyphens → ISO 639-3: of Wikipedia (as MediaWiki maps them to BCP 47), of CC-100
(romanized text, Burmese in the Zawgyi encoding, `ns` for Northern Sotho), FLORES+, and tags registered as a whole."""

WHOLE_REMARKS = {
    "bh": ": the code named the Bihari languages and was withdrawn",
    "map-bms": ": Banyumasan has no code in ISO 639-3",
    "jv-x-bms": ": Banyumasan has no code in ISO 639-3",
    "nap-x-tara": ": Tarantino has no code in ISO 639-3",
    "roa-tara": ": Tarantino has no code in ISO 639-3",
    "simple": ": Simple English is not a language of its own",
}
"""What a user should hear when such a code is read."""

WIKIPEDIA = {"als": "gsw", "nrm": "nrf"}
"""Codes that name one language in ISO 639-3 and another in Wikipedia (and WikiANN): Tosk Albanian and Alemannic, Narom
and Norman."""

SHIFTED = _pairs(
    """aze-arab:azb aze-iq:azb aze-ir:azb fas-af:prs hbs-ba:bos hbs-cyrl:srp hbs-me:cnr hbs-rs:srp kur-arab:ckb
    kur-iq:ckb kur-ir:ckb mon-cn:mvf mon-mong:mvf pan-arab:pnb pan-pk:pnb swa-cd:swc uzb-af:uzs uzb-arab:uzs"""
)
"""Language and script or region → another language than the usual one. Source: Unicode CLDR 48 (prs is fa-AF and swc is
sw-CD in languageAlias, likelySubtags pairs these regions with these scripts), ISO 639-3 for the members."""

SPOKEN = _pairs(
    """ara-ae:afb ara-bh:afb ara-dz:arq ara-eg:arz ara-iq:acm ara-jo:apc ara-kw:afb ara-lb:apc ara-ly:ayl ara-ma:ary
    ara-om:acx ara-ps:apc ara-qa:afb ara-sa:ars ara-sd:apd ara-sy:apc ara-td:shu ara-tn:aeb ara-ye:ayn
    ful-bf:fuh ful-cm:fub ful-gm:fuc ful-gn:fuf ful-ml:ffm ful-mr:fuc ful-ne:fuq ful-sn:fuc grn-bo:gui msa-bn:kxd
    msa-id:ind orm-ke:gax pus-pk:pbu que-bo:quh que-ec:qug sqi-xk:aln zho-hk:yue zho-mo:yue"""
)
"""Macrolanguage and region → the member mostly spoken there. Texts under such a tag are often in the usual member all
the same (ar-EG is Standard Arabic), which is what the tag is read as; that there is another language is said."""

MEMBERS = {"bai": "bbj fmp", "bih": "bho mai mag", "fiu": "fin ekk hun", "inc": "hin ben mar", "nah": "nhe azz nch"}
"""Some languages of groups whose name is not that of a genus or a family."""

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
