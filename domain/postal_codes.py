"""Which canton a Swiss postal code belongs to. Where a code covers places of two cantons, its main place decides.

The codes are those of the directory of Swiss Post (places with their commune, by its number of the Federal Statistical
Office), free for any use with the source named, as the package odoo12-addon-l10n-ch-zip 12.0.1.0.0 lists them. Moutier
(2740) is in the canton of Jura since 1 January 2026. Only code and canton are kept. Places outside Switzerland
(Liechtenstein, Büsingen, Campione) have no canton.
"""

import re
from bisect import bisect_right
from functools import cache
from typing import NamedTuple

_CODE = re.compile(r"(?:CH[- ]?)?([1-9][0-9]{3})", re.IGNORECASE | re.ASCII)

# Ranges of codes of one canton. A code that Swiss Post adds within a range later is in it already.
_RANGES = """
    1000-1197 VD, 1200-1258 GE, 1260-1279 VD, 1281-1290 GE, 1291 VD, 1292-1294 GE, 1295-1297 VD,
    1298 GE, 1299-1464 VD, 1468-1489 FR, 1509-1526 VD, 1527-1529 FR, 1530 VD, 1532-1533 FR,
    1534-1538 VD, 1541-1542 FR, 1543 VD, 1544 FR, 1545-1552 VD, 1553 FR, 1554-1562 VD, 1563-1564 FR,
    1565 VD, 1566-1568 FR, 1580 VD, 1583 FR, 1584-1608 VD, 1609 FR, 1610 VD, 1611 FR, 1612-1613 VD,
    1614-1656 FR, 1657 BE, 1658-1660 VD, 1661-1681 FR, 1682-1683 VD, 1684-1737 FR, 1738 BE,
    1740-1796 FR, 1797 BE, 1800-1867 VD, 1868-1875 VS, 1880-1885 VD, 1890-1891 VS, 1892 VD,
    1893-1997 VS, 2000-2325 NE, 2333 BE, 2336-2364 JU, 2400-2416 NE, 2500-2520 BE, 2523-2525 NE,
    2532-2538 BE, 2540 SO, 2542-2543 BE, 2544-2545 SO, 2552-2713 BE, 2714 JU, 2715-2717 BE, 2718 JU,
    2720-2738 BE, 2740 JU, 2742-2762 BE, 2800-2813 JU, 2814 BL, 2822-2954 JU, 3000-3174 BE, 3175 FR,
    3176-3177 BE, 3178 FR, 3179 BE, 3182 FR, 3183 BE, 3184-3186 FR, 3202-3208 BE, 3210-3216 FR,
    3225-3252 BE, 3253-3254 SO, 3255-3274 BE, 3280 FR, 3282-3283 BE, 3284-3286 FR, 3292-3306 BE,
    3307 SO, 3308-3800 BE, 3801 VS, 3803-3864 BE, 3900-3999 VS, 4000-4020 BS, 4023 BL, 4024-4039 BS,
    4040 BL, 4041 BS, 4042 BL, 4051-4096 BS, 4101-4107 BL, 4108-4116 SO, 4117 BL, 4118 SO, 4123-4124 BL,
    4125-4126 BS, 4127-4142 BL, 4143 SO, 4144 BL, 4145-4146 SO, 4147-4203 BL, 4204-4206 SO, 4207 BL,
    4208 SO, 4222-4225 BL, 4226-4234 SO, 4242-4244 BL, 4245 SO, 4246 BL, 4247-4252 SO, 4253-4302 BL,
    4303 AG, 4304 BL, 4305-4334 AG, 4402-4411 BL, 4412-4413 SO, 4414-4419 BL, 4421 SO, 4422-4467 BL,
    4468 SO, 4469-4497 BL, 4500-4535 SO, 4536-4539 BE, 4542-4658 SO, 4663-4665 AG, 4702-4703 SO,
    4704 BE, 4710-4719 SO, 4800-4805 AG, 4806 LU, 4807-4856 AG, 4900-4914 BE, 4915 LU, 4916-4955 BE,
    5000-5004 AG, 5010-5015 SO, 5017-5734 AG, 5735 LU, 5736-5745 AG, 5746 SO, 6000-6039 LU, 6042 AG,
    6043-6048 LU, 6052 NW, 6053-6078 OW, 6083-6086 BE, 6102-6196 LU, 6197 BE, 6203-6295 LU,
    6300-6343 ZG, 6344 LU, 6345-6349 ZG, 6353-6356 LU, 6362-6376 NW, 6377 UR, 6382-6387 NW,
    6388-6391 OW, 6402-6403 SZ, 6404 LU, 6405-6440 SZ, 6441 UR, 6442-6443 SZ, 6452-6493 UR,
    6500-6533 TI, 6534-6565 GR, 6571-6908 TI, 6912-6999 TI, 7000-7307 GR, 7310-7326 SG, 7402-7748 GR,
    8000-8108 ZH, 8109 AG, 8112-8197 ZH, 8200-8236 SH, 8239-8243 SH, 8245-8248 ZH, 8252-8259 TG,
    8260-8263 SH, 8264-8285 TG, 8301-8354 ZH, 8355-8376 TG, 8400-8453 ZH, 8454-8455 SH, 8457-8499 ZH,
    8500-8522 TG, 8523 ZH, 8524-8540 TG, 8542-8545 ZH, 8546-8547 TG, 8548 ZH, 8552-8599 TG,
    8600-8637 ZH, 8638 SG, 8639 ZH, 8640-8646 SG, 8700-8714 ZH, 8715-8740 SG, 8750 GL, 8751 UR,
    8752-8784 GL, 8800-8805 ZH, 8806-8808 SZ, 8810-8825 ZH, 8832 SZ, 8833 ZH, 8834-8864 SZ,
    8865-8868 GL, 8872-8873 SG, 8874 GL, 8877-8898 SG, 8901-8904 ZH, 8905 AG, 8906-8915 ZH,
    8916-8919 AG, 8925-8955 ZH, 8956-8967 AG, 8970 ZH, 9000-9034 SG, 9035 AR, 9036 SG, 9037-9044 AR,
    9050 AI, 9052-9053 AR, 9054 AI, 9055-9056 AR, 9057-9058 AI, 9062-9107 AR, 9108 AI, 9112 AR,
    9113-9212 SG, 9213-9225 TG, 9230-9305 SG, 9306 TG, 9308-9313 SG, 9314-9322 TG, 9323 SG,
    9325-9326 TG, 9327-9404 SG, 9405-9411 AR, 9413 AI, 9414 AR, 9422-9425 SG, 9426-9428 AR,
    9430-9479 SG, 9500-9501 SG, 9502-9508 TG, 9510-9512 SG, 9514-9517 TG, 9523-9527 SG, 9532 TG,
    9533-9534 SG, 9535 TG, 9536 SG, 9542-9548 TG, 9552 SG, 9553-9573 TG, 9601-9658 SG
"""


class _Range(NamedTuple):
    first: int
    last: int
    canton: str


@cache
def _ranges() -> tuple[_Range, ...]:
    ranges = []
    for entry in _RANGES.replace("\n", " ").split(","):
        codes, canton = entry.split()
        first, _, last = codes.partition("-")
        ranges.append(_Range(int(first), int(last or first), canton))
    return tuple(ranges)


def canton_of_postal_code(code: str) -> str | None:
    """The canton of a Swiss postal code such as `"8001"`, also written `"CH-8001"`.

    None if the text is no Swiss postal code: of another form, not assigned, or of a place outside Switzerland.
    """
    match = _CODE.fullmatch(code.strip())
    if match is None:
        return None
    number = int(match[1])
    at = bisect_right(_ranges(), number, key=lambda entry: entry.first) - 1
    if at < 0 or number > _ranges()[at].last:
        return None
    return _ranges()[at].canton
