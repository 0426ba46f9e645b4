"""Writes values.jsonl and negatives.jsonl: what the redactor must mask, and what it must leave.

Needs Faker and python-stdnum (see requirements.txt). The seed is fixed, so the same versions write the same files.
A middle dot stands inside every secret, so that no scanner of repositories takes it for a real one; readers drop it.
"""

import base64
import json
import random
import string
import uuid

from faker import Faker
from stdnum import luhn, verhoeff
from stdnum.iso7064 import mod_97_10

PER_TYPE = 24
SEED = 20261120

random.seed(SEED)
Faker.seed(SEED)
fakers = {name: Faker(name) for name in ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "id_ID", "en_IN")}
english = fakers["en_US"]


def digits(count):
    return "".join(random.choice(string.digits) for _ in range(count))


def draw(count, alphabet=string.ascii_letters + string.digits):
    return "".join(random.choice(alphabet) for _ in range(count))


def grouped(text, size, separator=" "):
    return separator.join(text[at : at + size] for at in range(0, len(text), size))


def email(_):
    faker = random.choice(list(fakers.values()))
    return random.choice([faker.email, faker.company_email, faker.free_email])()


def card(index):
    number = english.credit_card_number(card_type=random.choice(["visa16", "mastercard", "amex", "discover"]))
    return grouped(number, 4, random.choice(" -")) if index % 3 == 0 and len(number) == 16 else number


def ssn(_):
    return english.ssn()


def phone(index):
    area, exchange, line = random.randint(201, 989), random.randint(200, 999), digits(4)
    country, length = random.choice([("44", 10), ("49", 10), ("33", 9), ("65", 8), ("91", 10), ("34", 9), ("81", 10)])
    return [
        f"({area}) {exchange}-{line}",
        f"{area}-{exchange}-{line}",
        f"+1 {area} {exchange} {line}",
        f"+1{area}{exchange}{line}",
        f"+{country}{random.randint(2, 9)}{digits(length - 1)}",
        f"+{country} {random.randint(2, 9)}{digits(1)} {grouped(digits(length - 2), 4)}",
    ][index % 6]


def phone_id(index):
    body = f"8{random.randint(11, 99)}{digits(8)}"
    return [f"0{body}", f"+62{body}", f"+62 {body[:3]}-{body[3:7]}-{body[7:]}", f"0{body[:3]}-{body[3:7]}-{body[7:]}"][index % 4]


def iban(index):
    number = random.choice([fakers[name] for name in ("de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "en_GB")]).iban()
    return [number, grouped(number, 4), number.lower()][index % 3]


def aadhaar(index):
    body = f"{random.randint(2, 9)}{digits(10)}"
    number = body + verhoeff.calc_check_digit(body)
    return number if index % 2 else grouped(number, 4)


def pan(_):
    return draw(3, string.ascii_uppercase) + random.choice("PCHABGJLFT") + draw(1, string.ascii_uppercase) + digits(4) + draw(1, string.ascii_uppercase)


def singapore(kinds, table):
    def make(_):
        kind, body = random.choice(kinds), digits(7)
        total = sum(int(digit) * weight for digit, weight in zip(body, (2, 7, 6, 5, 4, 3, 2)))
        return kind + body + table[(total + (4 if kind in "TG" else 0)) % 11]

    return make


def nik(_):
    day = random.randint(1, 28) + random.choice([0, 40])
    return f"{random.choice([11, 31, 32, 33, 35, 51, 73])}{digits(4)}{day:02}{random.randint(1, 12):02}{digits(2)}{random.randint(1, 9999):04}"


def npwp(_):
    text = digits(15)
    return f"{text[:2]}.{text[2:5]}.{text[5:8]}.{text[8]}-{text[9:12]}.{text[12:]}"


def national(index):
    from stdnum.br import cpf
    from stdnum.es import dni
    from stdnum.no import fodselsnummer
    from stdnum.pl import pesel

    if index % 6 == 0:
        return fakers["pl_PL"].pesel()
    if index % 6 == 1:
        number = digits(8)
        return number + dni.calc_check_digit(number)
    if index % 6 == 2:
        return fakers["it_IT"].ssn()
    if index % 6 == 3:
        number = digits(9)
        number += cpf._calc_check_digits(number)
        return cpf.format(number)
    if index % 6 == 4:
        return Faker("no_NO").ssn()
    return Faker("fr_FR").ssn()


def vat(index):
    from stdnum.at import uid
    from stdnum.de import vat as german
    from stdnum.nl import bsn
    from stdnum.iso7064 import mod_11_10

    if index % 3 == 0:
        body = digits(7)
        return "ATU" + body + uid.calc_check_digit("U" + body)
    if index % 3 == 1:
        body = f"{random.randint(1, 9)}{digits(7)}"
        return "DE" + body + mod_11_10.calc_check_digit(body)
    body = digits(10)
    return "IT" + body + luhn.calc_check_digit(body)


def passport(index):
    return draw(1 + index % 2, string.ascii_uppercase) + digits(7)


def licence(_):
    return draw(1, string.ascii_uppercase) + digits(7)


def birth(index):
    day = english.date_of_birth()
    return day.strftime(["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y", "%d.%m.%Y"][index % 6])


def account(_):
    return digits(10)


def secret(prefix, count, alphabet=string.ascii_letters + string.digits):
    def make(_):
        value = prefix + draw(count, alphabet)
        return value[:2] + "·" + value[2:]

    return make


def jwt(_):
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": digits(8), "iat": 1700000000})]
    coded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    value = ".".join([*coded, draw(43)])
    return value[:2] + "·" + value[2:]


def password(_):
    return english.password(length=random.randint(8, 14), special_chars=False)


PLAIN = ["Please check {} today.", "customer {} called", "value: {}", "({})", "{}"]
TYPES = {
    "email": (email, PLAIN),
    "card": (card, PLAIN),
    "ssn": (ssn, PLAIN),
    "phone": (phone, PLAIN),
    "phone_id": (phone_id, PLAIN),
    "iban": (iban, PLAIN),
    "aadhaar": (aadhaar, PLAIN),
    "pan": (pan, PLAIN),
    "nric": (singapore("ST", "JZIHGFEDCBA"), PLAIN),
    "fin": (singapore("FG", "XWUTRQPNMLK"), PLAIN),
    "nik": (nik, PLAIN),
    "npwp": (npwp, PLAIN),
    "national_id": (national, PLAIN),
    "vat": (vat, PLAIN),
    "passport": (passport, ["passport {}", "Passport No: {}", "passport number is {}"]),
    "driver_license": (licence, ["driver's license {}", "DL: {}", "driving licence no. {}"]),
    "dob": (birth, ["DOB: {}", "date of birth {}", "born on {}"]),
    "bank_account": (account, ["account number {}", "rekening BCA {}", "bank account: {}"]),
    "aws_key": (secret("AKIA", 16, string.ascii_uppercase + string.digits), PLAIN),
    "gcp_key": (secret("AIza", 35), PLAIN),
    "github_token": (secret("ghp_", 36), PLAIN),
    "gitlab_token": (secret("glpat-", 20), PLAIN),
    "slack_token": (secret("xoxb-", 40), PLAIN),
    "stripe_key": (secret("sk_live_", 24), PLAIN),
    "openai_key": (secret("sk-proj-", 48), PLAIN),
    "anthropic_key": (secret("sk-ant-api03-", 48), PLAIN),
    "npm_token": (secret("npm_", 36), PLAIN),
    "pypi_token": (secret("pypi-AgEIcHlwaS5vcmc", 60), PLAIN),
    "jwt": (jwt, PLAIN),
    "password": (password, ["password={}", "DB_PASSWORD: {}", "passwd = '{}'"]),
}


def epoch_milliseconds():
    return str(random.randint(1_600_000_000_000, 1_800_000_000_000))


def version():
    return f"v{random.randint(0, 9)}.{random.randint(0, 40)}.{random.randint(0, 99)}"


def failing_card():
    body = "4" + digits(14)
    return body + str((int(luhn.calc_check_digit(body)) + random.randint(1, 9)) % 10)


NEGATIVES = {
    "epoch milliseconds": lambda: f"updated at {epoch_milliseconds()}",
    "epoch seconds": lambda: f"ts={random.randint(1_600_000_000, 1_800_000_000)}",
    "uuid": lambda: f"request {uuid.UUID(int=random.getrandbits(128), version=4)} done",
    "digest": lambda: f"commit {draw(40, '0123456789abcdef')}",
    "short hash": lambda: f"at {draw(7, '0123456789abcdef')}",
    "order id": lambda: f"order {random.choice(['ORD-', '#', 'PO', ''])}{digits(8)} shipped",
    "long order id": lambda: f"order 10{digits(9)} shipped",
    "price": lambda: f"total ${random.randint(1, 999)},{digits(3)}.{digits(2)}",
    "rupiah": lambda: f"Rp {random.randint(1, 99)}.{digits(3)}.{digits(3)}",
    "coordinates": lambda: f"lat {english.latitude()}, lon {english.longitude()}",
    "version": lambda: f"upgrade to {version()} from {version()}",
    "log line": lambda: f"{english.iso8601()} INFO worker-{digits(2)} handled {digits(5)} rows in {digits(3)} ms",
    "date": lambda: f"invoice of {english.date()}",
    "base64": lambda: base64.b64encode(random.randbytes(30)).decode(),
    "failing card": lambda: f"number {failing_card()}",
    "sku": lambda: f"SKU {draw(2, string.ascii_uppercase)}{digits(6)}",
    "isbn": lambda: f"ISBN {english.isbn13()}",
    "url": lambda: f"see {english.uri()}?page={digits(2)}",
    "identifier": lambda: f"function load_{english.word()}_{english.word()}_v{digits(1)} failed",
    "placeholder": lambda: random.choice(["password=<your-password>", "api_key=${API_KEY}", "token: string", "PRIMARY KEY: id"]),
    "sentence": lambda: english.sentence(nb_words=14),
    "address": lambda: english.address().replace("\n", ", "),
}


def main():
    with open("values.jsonl", "w", encoding="utf-8") as out:
        for kind, (make, texts) in TYPES.items():
            for index in range(PER_TYPE):
                row = {"type": kind, "value": make(index), "text": texts[index % len(texts)]}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    with open("negatives.jsonl", "w", encoding="utf-8") as out:
        for kind, make in NEGATIVES.items():
            for _ in range(PER_TYPE):
                out.write(json.dumps({"kind": kind, "text": make()}, ensure_ascii=False) + "\n")


main()
