//! Words that speak for the number beside them: "NPWP", "rekening", a bank's name, in text and in object keys.
//!
//! A token of ours (`[REDACTED:bank_account]`) is never a label, and in front of a value it counts with its own
//! length whether it already stands in the text or is about to be put there. So a second run over a redacted text
//! sees the same labels at the same distances as the first and finds nothing new.

use super::limits::LABEL_BEHIND_BYTES;
use memchr::memmem::FinderRev;
use std::sync::LazyLock;

/// A set of labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Labels(u32);

impl Labels {
    /// No label.
    pub const NONE: Self = Self(0);
    /// Identity card: "NIK", "KTP".
    pub const NIK: Self = Self(1);
    /// Tax number.
    pub const NPWP: Self = Self(2);
    /// A bank account of any bank: "rekening", "account number".
    pub const ACCOUNT: Self = Self(4);
    /// Bank Central Asia.
    pub const BCA: Self = Self(8);
    /// Bank Mandiri.
    pub const MANDIRI: Self = Self(16);
    /// Bank Rakyat Indonesia.
    pub const BRI: Self = Self(32);
    /// Bank Negara Indonesia.
    pub const BNI: Self = Self(64);
    /// Any label of a bank account.
    pub const BANKS: Self = Self(4 | 8 | 16 | 32 | 64);
    /// United States social security number.
    pub const SSN: Self = Self(1 << 7);
    /// Telephone number of any country.
    pub const PHONE: Self = Self(1 << 8);
    /// Indian Aadhaar number.
    pub const AADHAAR: Self = Self(1 << 9);
    /// Indian permanent account number.
    pub const PAN: Self = Self(1 << 10);
    /// Singapore's identity numbers of persons: NRIC and FIN.
    pub const NRIC: Self = Self(1 << 11);
    /// Singapore's number of an entity.
    pub const UEN: Self = Self(1 << 12);
    /// Passport.
    pub const PASSPORT: Self = Self(1 << 13);
    /// Day of birth.
    pub const BIRTH: Self = Self(1 << 14);
    /// Driver's licence.
    pub const LICENCE: Self = Self(1 << 15);
    /// Routing number of a bank in the United States.
    pub const ROUTING: Self = Self(1 << 16);
    /// Value-added tax number.
    pub const VAT: Self = Self(1 << 17);
    /// Identity or tax number of a person, of any country.
    pub const NATIONAL: Self = Self(1 << 18);
    /// International bank account number.
    pub const IBAN: Self = Self(1 << 19);
    /// A version number follows, which may look like an IP address.
    pub const VERSION: Self = Self(1 << 20);
    /// Payment card.
    pub const CARD: Self = Self(1 << 21);
    /// The labels that also speak for later numbers of a list (`rekening 1234567890, 9876543210`). All others speak
    /// for the first number behind them only.
    const FAR: Self = Self(0x7F);

    /// Both sets together.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets have.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the sets share a label.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Words in a row, in lower case, and what they say. Case, `camelCase`, `snake_case` and punctuation do not matter.
const PHRASES: &[(&[&str], Labels)] = &[
    (&["accountnumber"], Labels::ACCOUNT),
    (&["accountno"], Labels::ACCOUNT),
    (&["bank", "account"], Labels::ACCOUNT),
    (&["bank", "acct"], Labels::ACCOUNT),
    (&["aadhaar"], Labels::AADHAAR),
    (&["aadhar"], Labels::AADHAAR),
    (&["adhaar"], Labels::AADHAAR),
    (&["aadhaarnumber"], Labels::AADHAAR),
    (&["permanent", "account"], Labels::PAN),
    (&["aba"], Labels::ROUTING),
    (&["abn"], Labels::NATIONAL),
    (&["amka"], Labels::NATIONAL),
    (&["afm"], Labels::NATIONAL),
    (&["ahv"], Labels::NATIONAL),
    (&["avs"], Labels::NATIONAL),
    (&["adoszam"], Labels::NATIONAL),
    (&["amex"], Labels::CARD),
    (&["ajokortti"], Labels::LICENCE),
    (&["ausweis"], Labels::NATIONAL),
    (&["ausweisnummer"], Labels::NATIONAL),
    (&["ahvnr"], Labels::NATIONAL),
    (&["ahvnummer"], Labels::NATIONAL),
    (&["acn"], Labels::NATIONAL),
    (&["atin"], Labels::NATIONAL),
    (&["alv"], Labels::VAT),
    (&["anum"], Labels::VAT),
    (&["acct"], Labels::ACCOUNT),
    (&["acctno"], Labels::ACCOUNT),
    (&["acctnum"], Labels::ACCOUNT),
    (&["accountnum"], Labels::ACCOUNT),
    (&["answering", "at"], Labels::PHONE),
    (&["reached", "at"], Labels::PHONE),
    (&["bca"], Labels::BCA),
    (&["bri"], Labels::BRI),
    (&["bni"], Labels::BNI),
    (&["bankaccount"], Labels::ACCOUNT),
    (&["birthdate"], Labels::BIRTH),
    (&["birthday"], Labels::BIRTH),
    (&["birth"], Labels::BIRTH),
    (&["born"], Labels::BIRTH),
    (&["btw"], Labels::VAT),
    (&["bsn"], Labels::NATIONAL),
    (&["bvn"], Labels::NATIONAL),
    (&["build"], Labels::VERSION),
    (&["bday"], Labels::BIRTH),
    (&["birthdt"], Labels::BIRTH),
    (&["burgerservicenummer"], Labels::NATIONAL),
    (&["btwnummer"], Labels::VAT),
    (&["bban"], Labels::ACCOUNT),
    (&["bankaccountnumber"], Labels::ACCOUNT),
    (&["iban", "bban"], Labels::ACCOUNT),
    (&["cell"], Labels::PHONE),
    (&["cellphone"], Labels::PHONE),
    (&["call"], Labels::PHONE),
    (&["id", "card"], Labels::NATIONAL),
    (&["identity", "card"], Labels::NATIONAL),
    (&["personal", "code"], Labels::NATIONAL),
    (&["cif"], Labels::NATIONAL),
    (&["cpf"], Labels::NATIONAL),
    (&["cnpj"], Labels::NATIONAL),
    (&["curp"], Labels::NATIONAL),
    (&["cnp"], Labels::NATIONAL),
    (&["cpr"], Labels::NATIONAL),
    (&["codicefiscale"], Labels::NATIONAL),
    (&["rodne", "cislo"], Labels::NATIONAL),
    (&["card"], Labels::CARD),
    (&["cards"], Labels::CARD),
    (&["creditcard"], Labels::CARD),
    (&["creditcards"], Labels::CARD),
    (&["cardnumber"], Labels::CARD),
    (&["cardno"], Labels::CARD),
    (&["ccnumber"], Labels::CARD),
    (&["ccnum"], Labels::CARD),
    (&["cc"], Labels::CARD),
    (&["carte"], Labels::CARD),
    (&["cartao"], Labels::CARD),
    (&["carta", "di", "credito"], Labels::CARD),
    (&["contactnumber"], Labels::PHONE),
    (&["contact"], Labels::PHONE),
    (&["celular"], Labels::PHONE),
    (&["cel"], Labels::PHONE),
    (&["cellulare"], Labels::PHONE),
    (&["contactno"], Labels::PHONE),
    (&["cellnumber"], Labels::PHONE),
    (&["conducir"], Labels::LICENCE),
    (&["conduccion"], Labels::LICENCE),
    (&["conducao"], Labels::LICENCE),
    (&["cnh"], Labels::LICENCE),
    (&["cui"], Labels::NATIONAL),
    (&["cuit"], Labels::NATIONAL),
    (&["cuil"], Labels::NATIONAL),
    (&["cedula"], Labels::NATIONAL),
    (&["contribuinte"], Labels::NATIONAL),
    (&["cprnr"], Labels::NATIONAL),
    (&["cprnummer"], Labels::NATIONAL),
    (&["id", "code"], Labels::NATIONAL),
    (&["tax", "code"], Labels::NATIONAL),
    (&["fiscal", "code"], Labels::NATIONAL),
    (&["health", "card"], Labels::NATIONAL),
    (&["clabe"], Labels::ACCOUNT),
    (&["cbu"], Labels::ACCOUNT),
    (&["cuenta"], Labels::ACCOUNT),
    (&["compte"], Labels::ACCOUNT),
    (&["conto"], Labels::ACCOUNT),
    (&["conta"], Labels::ACCOUNT),
    (&["dob"], Labels::BIRTH),
    (&["dateofbirth"], Labels::BIRTH),
    (&["driverslicense"], Labels::LICENCE),
    (&["driverlicense"], Labels::LICENCE),
    (&["driverlicence"], Labels::LICENCE),
    (&["driverslicence"], Labels::LICENCE),
    (&["drivinglicence"], Labels::LICENCE),
    (&["drivinglicense"], Labels::LICENCE),
    (&["dl"], Labels::LICENCE),
    (&["dln"], Labels::LICENCE),
    (&["dlno"], Labels::LICENCE),
    (&["dni"], Labels::NATIONAL),
    (&["debit"], Labels::CARD),
    (&["dial"], Labels::PHONE),
    (&["dogum"], Labels::BIRTH),
    (&["datenaissance"], Labels::BIRTH),
    (&["travel", "document"], Labels::PASSPORT),
    (&["dlnumber"], Labels::LICENCE),
    (&["dui"], Labels::NATIONAL),
    (&["dph"], Labels::VAT),
    (&["ddv"], Labels::VAT),
    (&["ein"], Labels::SSN),
    (&["unique", "entity"], Labels::UEN),
    (&["egn"], Labels::NATIONAL),
    (&["emso"], Labels::NATIONAL),
    (&["edrpou"], Labels::NATIONAL),
    (&["epic"], Labels::NATIONAL),
    (&["fax"], Labels::PHONE),
    (&["fin"], Labels::NRIC),
    (&["fuhrerschein"], Labels::LICENCE),
    (&["fodselsnummer"], Labels::NATIONAL),
    (&["codice", "fiscale"], Labels::NATIONAL),
    (&["firmware"], Labels::VERSION),
    (&["faxnumber"], Labels::PHONE),
    (&["fodt"], Labels::BIRTH),
    (&["fodd"], Labels::BIRTH),
    (&["fodelsedatum"], Labels::BIRTH),
    (&["fodselsdato"], Labels::BIRTH),
    (&["fechanacimiento"], Labels::BIRTH),
    (&["fuhrerscheinnummer"], Labels::LICENCE),
    (&["forerkort"], Labels::LICENCE),
    (&["numero", "fiscal"], Labels::NATIONAL),
    (&["fodselsnr"], Labels::NATIONAL),
    (&["geboren"], Labels::BIRTH),
    (&["geburtsdatum"], Labels::BIRTH),
    (&["geboortedatum"], Labels::BIRTH),
    (&["gsm"], Labels::PHONE),
    (&["geb"], Labels::BIRTH),
    (&["gebdatum"], Labels::BIRTH),
    (&["patente", "di", "guida"], Labels::LICENCE),
    (&["gstin"], Labels::NATIONAL),
    (&["gst"], Labels::VAT),
    (&["hp"], Labels::PHONE),
    (&["handphone"], Labels::PHONE),
    (&["handy"], Labels::PHONE),
    (&["hotline"], Labels::PHONE),
    (&["henkilotunnus"], Labels::NATIONAL),
    (&["hetu"], Labels::NATIONAL),
    (&["hkid"], Labels::NATIONAL),
    (&["handynummer"], Labels::PHONE),
    (&["hubungi"], Labels::PHONE),
    (&["homephone"], Labels::PHONE),
    (&["habilitacao"], Labels::LICENCE),
    (&["tax", "payer", "id"], Labels::SSN),
    (&["taxpayer", "id"], Labels::SSN),
    (&["itin"], Labels::SSN.or(Labels::NATIONAL)),
    (&["vat", "id"], Labels::VAT),
    (&["ust", "id"], Labels::VAT),
    (&["iva"], Labels::VAT),
    (&["partita", "iva"], Labels::VAT),
    (&["national", "id"], Labels::NATIONAL),
    (&["idnumber"], Labels::NATIONAL),
    (&["idcard"], Labels::NATIONAL),
    (&["citizen", "id"], Labels::NATIONAL),
    (&["personal", "id"], Labels::NATIONAL),
    (&["steuer", "id"], Labels::NATIONAL),
    (&["idnr"], Labels::NATIONAL),
    (&["insee"], Labels::NATIONAL),
    (&["isikukood"], Labels::NATIONAL),
    (&["national", "insurance"], Labels::NATIONAL),
    (&["tax", "id"], Labels::NATIONAL),
    (&["tax", "identification"], Labels::NATIONAL),
    (&["iban"], Labels::IBAN),
    (&["ibans"], Labels::IBAN),
    (&["ibannumber"], Labels::IBAN),
    (&["bank", "iban"], Labels::IBAN),
    (&["nato", "il"], Labels::BIRTH),
    (&["nata", "il"], Labels::BIRTH),
    (&["ico"], Labels::NATIONAL),
    (&["insz"], Labels::NATIONAL),
    (&["identificacion"], Labels::NATIONAL),
    (&["identidade"], Labels::NATIONAL),
    (&["identidad"], Labels::NATIONAL),
    (&["identite"], Labels::NATIONAL),
    (&["identita"], Labels::NATIONAL),
    (&["identiteitskaart"], Labels::NATIONAL),
    (&["identificatienummer"], Labels::NATIONAL),
    (&["idcode"], Labels::NATIONAL),
    (&["identitynumber"], Labels::NATIONAL),
    (&["identitycard"], Labels::NATIONAL),
    (&["social", "insurance"], Labels::NATIONAL),
    (&["kartu", "identitas"], Labels::NATIONAL),
    (&["irpin"], Labels::NATIONAL),
    (&["ird"], Labels::NATIONAL),
    (&["voter", "id"], Labels::NATIONAL),
    (&["idno"], Labels::NATIONAL),
    (&["intracommunautaire"], Labels::VAT),
    (&["account", "id"], Labels::ACCOUNT),
    (&["prawo", "jazdy"], Labels::LICENCE),
    (&["jogositvany"], Labels::LICENCE),
    (&["jmbg"], Labels::NATIONAL),
    (&["ktp"], Labels::NIK),
    (&["asmens", "kodas"], Labels::NATIONAL),
    (&["tc", "kimlik"], Labels::NATIONAL),
    (&["kimlik"], Labels::NATIONAL),
    (&["kartu"], Labels::CARD),
    (&["kreditkarte"], Labels::CARD),
    (&["kartennummer"], Labels::CARD),
    (&["kreditkort"], Labels::CARD),
    (&["kaart"], Labels::CARD),
    (&["kontak"], Labels::PHONE),
    (&["korkort"], Labels::LICENCE),
    (&["korekort"], Labels::LICENCE),
    (&["kennitala"], Labels::NATIONAL),
    (&["personas", "kods"], Labels::NATIONAL),
    (&["id", "kort"], Labels::NATIONAL),
    (&["kdv"], Labels::VAT),
    (&["kontonummer"], Labels::ACCOUNT),
    (&["kontonr"], Labels::ACCOUNT),
    (&["konto"], Labels::ACCOUNT),
    (&["lahir"], Labels::BIRTH),
    (&["driver", "license"], Labels::LICENCE),
    (&["driver", "licence"], Labels::LICENCE),
    (&["drivers", "license"], Labels::LICENCE),
    (&["drivers", "licence"], Labels::LICENCE),
    (&["driver", "s", "license"], Labels::LICENCE),
    (&["driver", "s", "licence"], Labels::LICENCE),
    (&["driving", "license"], Labels::LICENCE),
    (&["driving", "licence"], Labels::LICENCE),
    (&["licensenumber"], Labels::LICENCE),
    (&["landline"], Labels::PHONE),
    (&["ne", "le"], Labels::BIRTH),
    (&["nee", "le"], Labels::BIRTH),
    (&["licensenum"], Labels::LICENCE),
    (&["licenseno"], Labels::LICENCE),
    (&["mandiri"], Labels::MANDIRI),
    (&["mobile"], Labels::PHONE),
    (&["mobilenumber"], Labels::PHONE),
    (&["mobil"], Labels::PHONE),
    (&["msisdn"], Labels::PHONE),
    (&["moms"], Labels::VAT),
    (&["medicare"], Labels::NATIONAL),
    (&["mykad"], Labels::NATIONAL),
    (&["mastercard"], Labels::CARD),
    (&["movil"], Labels::PHONE),
    (&["mobilnummer"], Labels::PHONE),
    (&["mobilfunk"], Labels::PHONE),
    (&["mobiel"], Labels::PHONE),
    (&["mob"], Labels::PHONE),
    (&["mobileno"], Labels::PHONE),
    (&["mobilephone"], Labels::PHONE),
    (&["mst"], Labels::NATIONAL),
    (&["mbi"], Labels::NATIONAL),
    (&["mwst"], Labels::VAT),
    (&["nik"], Labels::NIK),
    (&["noktp"], Labels::NIK),
    (&["npwp"], Labels::NPWP),
    (&["nonpwp"], Labels::NPWP),
    (&["norekening"], Labels::ACCOUNT),
    (&["norek"], Labels::ACCOUNT),
    (&["account", "number"], Labels::ACCOUNT),
    (&["account", "num"], Labels::ACCOUNT),
    (&["account", "no"], Labels::ACCOUNT),
    (&["acct", "number"], Labels::ACCOUNT),
    (&["acct", "no"], Labels::ACCOUNT),
    (&["acc", "no"], Labels::ACCOUNT),
    (&["social", "security", "number"], Labels::SSN),
    (&["ss", "number"], Labels::SSN),
    (&["nohp"], Labels::PHONE),
    (&["nric"], Labels::NRIC),
    (&["nricno"], Labels::NRIC),
    (&["nricfin"], Labels::NRIC),
    (&["fin", "no"], Labels::NRIC),
    (&["nopaspor"], Labels::PASSPORT),
    (&["pass", "no"], Labels::PASSPORT),
    (&["naissance"], Labels::BIRTH),
    (&["nacimiento"], Labels::BIRTH),
    (&["nascita"], Labels::BIRTH),
    (&["dl", "no"], Labels::LICENCE),
    (&["license", "number"], Labels::LICENCE),
    (&["licence", "number"], Labels::LICENCE),
    (&["license", "no"], Labels::LICENCE),
    (&["licence", "no"], Labels::LICENCE),
    (&["nationalid"], Labels::NATIONAL),
    (&["nationalidnumber"], Labels::NATIONAL),
    (&["id", "number"], Labels::NATIONAL),
    (&["id", "no"], Labels::NATIONAL),
    (&["identity", "number"], Labels::NATIONAL),
    (&["identity", "no"], Labels::NATIONAL),
    (&["identification", "number"], Labels::NATIONAL),
    (&["personal", "number"], Labels::NATIONAL),
    (&["insurance", "number"], Labels::NATIONAL),
    (&["insurance", "no"], Labels::NATIONAL),
    (&["nino"], Labels::NATIONAL),
    (&["nhs"], Labels::NATIONAL),
    (&["nhs", "number"], Labels::NATIONAL),
    (&["nie"], Labels::NATIONAL),
    (&["nif"], Labels::NATIONAL),
    (&["nipc"], Labels::NATIONAL),
    (&["nir"], Labels::NATIONAL),
    (&["pps", "number"], Labels::NATIONAL),
    (&["registre", "national"], Labels::NATIONAL),
    (&["my", "number"], Labels::NATIONAL),
    (&["nationalinsurance"], Labels::NATIONAL),
    (&["ni", "number"], Labels::NATIONAL),
    (&["tax", "number"], Labels::NATIONAL),
    (&["tax", "no"], Labels::NATIONAL),
    (&["nric"], Labels::NATIONAL),
    (&["contact", "number"], Labels::PHONE),
    (&["contact", "no"], Labels::PHONE),
    (&["nacido"], Labels::BIRTH),
    (&["nacida"], Labels::BIRTH),
    (&["nac"], Labels::BIRTH),
    (&["nascido"], Labels::BIRTH),
    (&["nascida"], Labels::BIRTH),
    (&["nascimento"], Labels::BIRTH),
    (&["narozeni"], Labels::BIRTH),
    (&["narozen"], Labels::BIRTH),
    (&["nasterii"], Labels::BIRTH),
    (&["naissances"], Labels::BIRTH),
    (&["pass", "number"], Labels::PASSPORT),
    (&["nit"], Labels::NATIONAL),
    (&["niss"], Labels::NATIONAL),
    (&["nip"], Labels::NATIONAL),
    (&["nin"], Labels::NATIONAL),
    (&["st", "nr"], Labels::NATIONAL),
    (&["nationalidentificationnumber"], Labels::NATIONAL),
    (&["nationalinsurancenumber"], Labels::NATIONAL),
    (&["nationalidentity"], Labels::NATIONAL),
    (&["health", "number"], Labels::NATIONAL),
    (&["nhi"], Labels::NATIONAL),
    (&["taxpayer", "number"], Labels::NATIONAL),
    (&["nationalnumber"], Labels::NATIONAL),
    (&["national", "number"], Labels::NATIONAL),
    (&["citizen", "number"], Labels::NATIONAL),
    (&["id", "nummer"], Labels::NATIONAL),
    (&["oib"], Labels::NATIONAL),
    (&["officephone"], Labels::PHONE),
    (&["orgnr"], Labels::NATIONAL),
    (&["organisationsnummer"], Labels::NATIONAL),
    (&["ohip"], Labels::NATIONAL),
    (&["phone"], Labels::PHONE),
    (&["phones"], Labels::PHONE),
    (&["phonenumber"], Labels::PHONE),
    (&["ph"], Labels::PHONE),
    (&["pan"], Labels::PAN),
    (&["pancard"], Labels::PAN),
    (&["pannumber"], Labels::PAN),
    (&["passport"], Labels::PASSPORT),
    (&["passportnumber"], Labels::PASSPORT),
    (&["passportno"], Labels::PASSPORT),
    (&["passports"], Labels::PASSPORT),
    (&["paspor"], Labels::PASSPORT),
    (&["passeport"], Labels::PASSPORT),
    (&["pasaporte"], Labels::PASSPORT),
    (&["passaporto"], Labels::PASSPORT),
    (&["paspoort"], Labels::PASSPORT),
    (&["permis"], Labels::LICENCE),
    (&["partitaiva"], Labels::VAT),
    (&["personalnumber"], Labels::NATIONAL),
    (&["pesel"], Labels::NATIONAL),
    (&["personnummer"], Labels::NATIONAL),
    (&["pps"], Labels::NATIONAL),
    (&["ppsn"], Labels::NATIONAL),
    (&["pago"], Labels::CARD),
    (&["portable"], Labels::PHONE),
    (&["phoneno"], Labels::PHONE),
    (&["phonenum"], Labels::PHONE),
    (&["puhelin"], Labels::PHONE),
    (&["puhelinnumero"], Labels::PHONE),
    (&["passnummer"], Labels::PASSPORT),
    (&["paspoortnummer"], Labels::PASSPORT),
    (&["passaporte"], Labels::PASSPORT),
    (&["passnr"], Labels::PASSPORT),
    (&["paszport"], Labels::PASSPORT),
    (&["paszportu"], Labels::PASSPORT),
    (&["pasaport"], Labels::PASSPORT),
    (&["personalausweis"], Labels::NATIONAL),
    (&["personalausweisnummer"], Labels::NATIONAL),
    (&["personnr"], Labels::NATIONAL),
    (&["phn"], Labels::NATIONAL),
    (&["ptin"], Labels::NATIONAL),
    (&["pdv"], Labels::VAT),
    (&["rekening"], Labels::ACCOUNT),
    (&["rek"], Labels::ACCOUNT),
    (&["reisepass"], Labels::PASSPORT),
    (&["rijbewijs"], Labels::LICENCE),
    (&["routing"], Labels::ROUTING),
    (&["rtn"], Labels::ROUTING),
    (&["routingnumber"], Labels::ROUTING),
    (&["rfc"], Labels::NATIONAL),
    (&["rc"], Labels::NATIONAL),
    (&["rijksregisternummer"], Labels::NATIONAL),
    (&["rrn"], Labels::NATIONAL),
    (&["release"], Labels::VERSION),
    (&["reach"], Labels::PHONE),
    (&["rufnummer"], Labels::PHONE),
    (&["rodjenja"], Labels::BIRTH),
    (&["reisepassnummer"], Labels::PASSPORT),
    (&["reisepassnr"], Labels::PASSPORT),
    (&["rijbewijsnummer"], Labels::LICENCE),
    (&["rut"], Labels::NATIONAL),
    (&["rnc"], Labels::NATIONAL),
    (&["ruc"], Labels::NATIONAL),
    (&["rnokpp"], Labels::NATIONAL),
    (&["regon"], Labels::NATIONAL),
    (&["rekeningnummer"], Labels::ACCOUNT),
    (&["ssn"], Labels::SSN),
    (&["ssns"], Labels::SSN),
    (&["social", "security"], Labels::SSN),
    (&["socialsecurity"], Labels::SSN),
    (&["socialsecuritynumber"], Labels::SSN),
    (&["social", "sec"], Labels::SSN),
    (&["sms"], Labels::PHONE),
    (&["sin"], Labels::NATIONAL),
    (&["steuerid"], Labels::NATIONAL),
    (&["steuernummer"], Labels::NATIONAL),
    (&["steueridentifikationsnummer"], Labels::NATIONAL),
    (&["securite", "sociale"], Labels::NATIONAL),
    (&["secu"], Labels::NATIONAL),
    (&["svnr"], Labels::NATIONAL),
    (&["sozialversicherungsnummer"], Labels::NATIONAL),
    (&["syntymaaika"], Labels::BIRTH),
    (&["syntynyt"], Labels::BIRTH),
    (&["szuletesi"], Labels::BIRTH),
    (&["no", "sim"], Labels::LICENCE),
    (&["snils"], Labels::NATIONAL),
    (&["sozialversicherung"], Labels::NATIONAL),
    (&["steuer"], Labels::NATIONAL),
    (&["steuernr"], Labels::NATIONAL),
    (&["stnr"], Labels::NATIONAL),
    (&["samordningsnummer"], Labels::NATIONAL),
    (&["sozialversicherungsnr"], Labels::NATIONAL),
    (&["steuerident"], Labels::NATIONAL),
    (&["steueridnr"], Labels::NATIONAL),
    (&["steueridnummer"], Labels::NATIONAL),
    (&["tin"], Labels::SSN.or(Labels::NATIONAL)),
    (&["telephone"], Labels::PHONE),
    (&["tel"], Labels::PHONE),
    (&["telepon"], Labels::PHONE),
    (&["telp"], Labels::PHONE),
    (&["telefon"], Labels::PHONE),
    (&["telefono"], Labels::PHONE),
    (&["transit"], Labels::ROUTING),
    (&["tva"], Labels::VAT),
    (&["tfn"], Labels::NATIONAL),
    (&["tckn"], Labels::NATIONAL),
    (&["taxid"], Labels::NATIONAL),
    (&["tajszam"], Labels::NATIONAL),
    (&["taj"], Labels::NATIONAL),
    (&["tarjeta"], Labels::CARD),
    (&["telefone"], Labels::PHONE),
    (&["telefonnummer"], Labels::PHONE),
    (&["telefoonnummer"], Labels::PHONE),
    (&["telephonenumber"], Labels::PHONE),
    (&["telefonu"], Labels::PHONE),
    (&["telefonszam"], Labels::PHONE),
    (&["tlf"], Labels::PHONE),
    (&["telefonnr"], Labels::PHONE),
    (&["telf"], Labels::PHONE),
    (&["tgllahir"], Labels::BIRTH),
    (&["tanggallahir"], Labels::BIRTH),
    (&["y", "tunnus"], Labels::NATIONAL),
    (&["taxnumber"], Labels::NATIONAL),
    (&["taxpayeridentificationnumber"], Labels::NATIONAL),
    (&["messages", "to"], Labels::PHONE),
    (&["uidai"], Labels::AADHAAR),
    (&["uid"], Labels::AADHAAR),
    (&["uen"], Labels::UEN),
    (&["ustid"], Labels::VAT),
    (&["ustidnr"], Labels::VAT),
    (&["umsatzsteuer"], Labels::VAT),
    (&["urodzenia"], Labels::BIRTH),
    (&["urodzony"], Labels::BIRTH),
    (&["urodzona"], Labels::BIRTH),
    (&["utlevel"], Labels::PASSPORT),
    (&["utr"], Labels::NATIONAL),
    (&["unp"], Labels::NATIONAL),
    (&["ust"], Labels::VAT),
    (&["vat"], Labels::VAT),
    (&["vatid"], Labels::VAT),
    (&["vatin"], Labels::VAT),
    (&["vatnumber"], Labels::VAT),
    (&["versicherungsnummer"], Labels::NATIONAL),
    (&["version"], Labels::VERSION),
    (&["versions"], Labels::VERSION),
    (&["ver"], Labels::VERSION),
    (&["v"], Labels::VERSION),
    (&["visa"], Labels::CARD),
    (&["vkn"], Labels::NATIONAL),
    (&["vatno"], Labels::VAT),
    (&["vsk"], Labels::VAT),
    (&["whatsapp"], Labels::PHONE),
    (&["wa"], Labels::PHONE),
    (&["workphone"], Labels::PHONE),
    (&["ytunnus"], Labels::NATIONAL),
];

/// Where the phrases whose last word starts with a letter begin; they are sorted by it.
const FIRST_PHRASES: [usize; 27] = {
    let mut table = [PHRASES.len(); 27];
    let mut row = PHRASES.len();
    let mut letter = 26;
    while letter > 0 {
        letter -= 1;
        while row > 0 && last_letter(row - 1) >= letter {
            assert!(
                last_letter(row - 1) == letter,
                "phrases are sorted by the first letter of their last word"
            );
            row -= 1;
        }
        table[letter] = row;
    }
    assert!(row == 0, "phrases are sorted by the first letter of their last word");
    table
};

/// Which letter of the alphabet the last word of a phrase starts with.
const fn last_letter(row: usize) -> usize {
    let words = PHRASES[row].0;
    (words[words.len() - 1].as_bytes()[0] - b'a') as usize
}

/// For the first letter of a phrase's last word: which lengths that word may have, as bits. Most words of a text are
/// told apart from all phrases by one look.
const LENGTHS_BY_LETTER: [u64; 26] = {
    let mut table = [0; 26];
    let mut row = 0;
    while row < PHRASES.len() {
        let words = PHRASES[row].0;
        let last = words[words.len() - 1].as_bytes();
        table[(last[0] - b'a') as usize] |= 1 << last.len();
        row += 1;
    }
    table
};

/// Keys that say nothing themselves, so that the key around them speaks: `{"rekening":{"number":…}}`.
const PLAIN_KEYS: &[&str] = &["number", "no", "nomor", "num", "value", "account", "text", "id"];

/// Longest word in [`PHRASES`] and [`PLAIN_KEYS`].
const LONGEST_WORD: usize = 27;

const TOKEN_HEAD: &[u8] = b"[REDACTED:";
static TOKEN_FINDER: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(TOKEN_HEAD));

/// Where the token that covers or starts at the beginning of `text` ends, if there is one.
fn token_end(text: &[u8]) -> Option<usize> {
    let name = text.strip_prefix(TOKEN_HEAD)?;
    let length = name.iter().position(|byte| !(byte.is_ascii_lowercase() || *byte == b'_'))?;
    (name.get(length) == Some(&b']')).then_some(TOKEN_HEAD.len() + length + 1)
}

/// Longest token (`[REDACTED:bank_account]` and room for longer types).
const LONGEST_TOKEN: usize = 40;

/// Skips a token that `at` lies inside of, as long as it starts at or after `floor`.
pub(super) fn skip_cut_token(text: &[u8], floor: usize, at: usize) -> usize {
    let from = floor.max(at.saturating_sub(LONGEST_TOKEN));
    let to = text.len().min(at + TOKEN_HEAD.len());
    let Some(start) = TOKEN_FINDER.rfind(&text[from..to]).map(|offset| from + offset) else {
        return at;
    };
    match token_end(&text[start..]) {
        Some(length) if start < at && start + length > at => start + length,
        _ => at,
    }
}

/// First bytes of the Latin letters with accents (U+00C0 to U+017F).
const ACCENTED: std::ops::RangeInclusive<u8> = 0xC3..=0xC5;

/// The letter under the accent of a character in two bytes; `?` for any other.
pub(super) fn without_accent(first: u8, second: u8) -> u8 {
    const FIRST: &[u8; 64] = b"aaaaaaaceeeeiiiidnooooo?ouuuuytsaaaaaaaceeeeiiiidnooooo?ouuuuyty";
    const SECOND: &[u8; 64] = b"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll";
    const THIRD: &[u8; 64] = b"lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
    let table = match first {
        0xC3 => FIRST,
        0xC4 => SECOND,
        0xC5 => THIRD,
        _ => return b'?',
    };
    table[usize::from(second & 0x3F)]
}

/// Whether a word goes on with this byte: a letter, or a part of one with an accent.
fn goes_on(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || ACCENTED.contains(&byte) || (0x80..=0xBF).contains(&byte)
}

/// Labels in scripts that do not set words apart, or that have no letters in common with ASCII.
const OTHER_SCRIPTS: [(&str, Labels); 46] = [
    ("\u{51fa}\u{751f}", Labels::BIRTH),
    ("\u{751f}\u{5e74}\u{6708}\u{65e5}", Labels::BIRTH),
    ("\u{751f}\u{65e5}", Labels::BIRTH),
    ("\u{c0dd}\u{b144}\u{c6d4}\u{c77c}", Labels::BIRTH),
    ("\u{440}\u{43e}\u{436}\u{434}\u{435}\u{43d}\u{438}\u{44f}", Labels::BIRTH),
    ("\u{8b77}\u{7167}", Labels::PASSPORT),
    ("\u{62a4}\u{7167}", Labels::PASSPORT),
    ("\u{65c5}\u{5238}", Labels::PASSPORT),
    ("\u{30d1}\u{30b9}\u{30dd}\u{30fc}\u{30c8}", Labels::PASSPORT),
    ("\u{c5ec}\u{ad8c}", Labels::PASSPORT),
    ("\u{43f}\u{430}\u{441}\u{43f}\u{43e}\u{440}\u{442}", Labels::PASSPORT),
    ("\u{41f}\u{430}\u{441}\u{43f}\u{43e}\u{440}\u{442}", Labels::PASSPORT),
    ("\u{96fb}\u{8a71}", Labels::PHONE),
    ("\u{7535}\u{8bdd}", Labels::PHONE),
    ("\u{624b}\u{673a}", Labels::PHONE),
    ("\u{624b}\u{6a5f}", Labels::PHONE),
    ("\u{643a}\u{5e2f}", Labels::PHONE),
    ("\u{c804}\u{d654}", Labels::PHONE),
    ("\u{c5f0}\u{b77d}\u{cc98}", Labels::PHONE),
    ("\u{442}\u{435}\u{43b}", Labels::PHONE),
    ("\u{422}\u{435}\u{43b}", Labels::PHONE),
    ("\u{3c4}\u{3b7}\u{3bb}", Labels::PHONE),
    ("\u{3a4}\u{3b7}\u{3bb}", Labels::PHONE),
    ("\u{647}\u{627}\u{62a}\u{641}", Labels::PHONE),
    ("\u{5d8}\u{5dc}\u{5e4}\u{5d5}\u{5df}", Labels::PHONE),
    ("\u{e42}\u{e17}\u{e23}", Labels::PHONE),
    ("\u{8eab}\u{4efd}\u{8bc1}", Labels::NATIONAL),
    ("\u{8eab}\u{5206}\u{8b49}", Labels::NATIONAL),
    ("\u{30de}\u{30a4}\u{30ca}\u{30f3}\u{30d0}\u{30fc}", Labels::NATIONAL),
    ("\u{500b}\u{4eba}\u{756a}\u{53f7}", Labels::NATIONAL),
    ("\u{c8fc}\u{bbfc}\u{b4f1}\u{b85d}\u{bc88}\u{d638}", Labels::NATIONAL),
    ("\u{421}\u{41d}\u{418}\u{41b}\u{421}", Labels::NATIONAL),
    ("\u{418}\u{41d}\u{41d}", Labels::NATIONAL),
    ("\u{423}\u{41d}\u{41f}", Labels::NATIONAL),
    ("\u{404}\u{414}\u{420}\u{41f}\u{41e}\u{423}", Labels::NATIONAL),
    ("\u{415}\u{413}\u{41d}", Labels::NATIONAL),
    ("\u{391}\u{3a6}\u{39c}", Labels::NATIONAL),
    ("\u{53e3}\u{5ea7}", Labels::ACCOUNT),
    ("\u{8d26}\u{53f7}", Labels::ACCOUNT),
    ("\u{5e33}\u{865f}", Labels::ACCOUNT),
    ("\u{ba74}\u{d5c8}", Labels::LICENCE),
    ("\u{514d}\u{8a31}", Labels::LICENCE),
    ("\u{9a7e}\u{9a76}", Labels::LICENCE),
    ("\u{5361}\u{53f7}", Labels::CARD),
    ("\u{4fe1}\u{7528}\u{5361}", Labels::CARD),
    ("\u{30ab}\u{30fc}\u{30c9}", Labels::CARD),
];

/// A reader of words that knows which labels the words so far amount to.
#[derive(Default)]
struct Reader {
    found: Labels,
    previous: Word,
    before: Word,
}

#[derive(Clone, Copy, Default)]
struct Word {
    bytes: [u8; LONGEST_WORD],
    /// 0 where nothing may be joined with the next word.
    length: usize,
}

impl Word {
    fn new(text: &[u8]) -> Self {
        let mut word = Self::default();
        let mut bytes = text;
        while let [first, rest @ ..] = bytes {
            bytes = rest;
            let letter = if first.is_ascii() {
                first.to_ascii_lowercase()
            } else if let [second, rest @ ..] = rest {
                bytes = rest;
                without_accent(*first, *second)
            } else {
                b'?'
            };
            if word.length == LONGEST_WORD {
                return Self::default();
            }
            word.bytes[word.length] = letter;
            word.length += 1;
        }
        word
    }

    /// Whether first letter and length are those of the last word of a phrase.
    fn may_end_phrase(&self) -> bool {
        let letter = self.bytes[0].wrapping_sub(b'a');
        self.length > 0
            && LENGTHS_BY_LETTER
                .get(usize::from(letter))
                .is_some_and(|lengths| lengths >> self.length & 1 == 1)
    }

    fn is(&self, text: &str) -> bool {
        self.length == text.len() && &self.bytes[..self.length] == text.as_bytes()
    }
}

impl Reader {
    fn word(&mut self, text: &[u8]) {
        let word = Word::new(text);
        if word.may_end_phrase() {
            let letter = usize::from(word.bytes[0] - b'a');
            for (phrase, label) in &PHRASES[FIRST_PHRASES[letter]..FIRST_PHRASES[letter + 1]] {
                let hit = match phrase {
                    [only] => word.is(only),
                    [first, second] => word.is(second) && self.previous.is(first),
                    [first, second, third] => {
                        word.is(third) && self.previous.is(second) && self.before.is(first)
                    }
                    _ => false,
                };
                if hit {
                    self.found = self.found.or(*label);
                }
            }
        }
        self.before = std::mem::replace(&mut self.previous, word);
    }

    fn barrier(&mut self) {
        self.previous = Word::default();
        self.before = Word::default();
    }

    /// Another value stood here, or the part of the text about the labels is over.
    fn forget(&mut self) {
        self.barrier();
        self.found = self.found.and(Labels::FAR);
    }

    fn text(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            if text[at].is_ascii_alphabetic() || ACCENTED.contains(&text[at]) {
                let end = word_end(text, at);
                self.word(&text[at..end]);
                at = end;
            } else if !text[at].is_ascii() {
                let label = OTHER_SCRIPTS.iter().find(|(label, _)| text[at..].starts_with(label.as_bytes()));
                if let Some((label, means)) = label {
                    self.found = self.found.or(*means);
                    at += label.len();
                } else {
                    at += 1;
                }
            } else if let Some(length) = token_end(&text[at..]) {
                self.forget();
                at += length;
            } else {
                let alone = at == 0 || !text[at - 1].is_ascii_alphanumeric();
                if matches!(text[at], b',' | b';' | b'|') || text[at].is_ascii_digit() && alone {
                    self.forget();
                } else if text[at].is_ascii_digit() {
                    self.barrier();
                }
                at += 1;
            }
        }
        self.barrier();
    }
}

/// The end of the word that starts at `at`: letters up to a change from lower to upper case, or up to the last of
/// several upper-case letters before a lower-case one (`noRek`, `BCAAccount`).
fn word_end(text: &[u8], at: usize) -> usize {
    let letters = text[at..].iter().position(|byte| !goes_on(*byte));
    let end = letters.map_or(text.len(), |length| at + length);
    for next in at + 1..end {
        if !text[next].is_ascii_uppercase() {
            continue;
        }
        let after_lower = text[next - 1].is_ascii_lowercase();
        if after_lower || (next + 1 < end && text[next + 1].is_ascii_lowercase()) {
            return next;
        }
    }
    end
}

/// The labels in pieces of text that stand in a row with masked spans between them.
pub(super) fn of_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Labels {
    let mut reader = Reader::default();
    for (index, piece) in pieces.enumerate() {
        // A masked value stands between two pieces.
        if index > 0 {
            reader.forget();
        }
        reader.text(piece);
    }
    reader.found
}

/// The labels in an object key, decoded; `None` when the key says nothing itself.
pub(super) fn of_key(key: &[u8]) -> Option<Labels> {
    if PLAIN_KEYS.iter().any(|plain| key.eq_ignore_ascii_case(plain.as_bytes())) {
        return None;
    }
    Some(of_pieces(std::iter::once(key)))
}

/// The bank named right behind a value, as in `1234567890 (BCA)` or `1234567890 - Bank Mandiri`.
pub(super) fn behind(text: &[u8]) -> Labels {
    let reach = &text[..text.len().min(LABEL_BEHIND_BYTES)];
    let mut at = 0;
    for _ in 0..2 {
        let gap = reach[at..].iter().position(|byte| !matches!(byte, b' ' | b'(' | b'-' | b'/' | b','));
        let Some(gap) = gap.filter(|gap| *gap <= 3) else { return Labels::NONE };
        at += gap;
        let end = word_end(reach, at);
        if reach[at..end].eq_ignore_ascii_case(b"bank") {
            at = end;
            continue;
        }
        // A word that the reach cuts off is not a word.
        let whole = end < reach.len() || end == text.len();
        let found = if whole { of_pieces(std::iter::once(&reach[at..end])) } else { Labels::NONE };
        return found.and(Labels::BANKS);
    }
    Labels::NONE
}

#[cfg(test)]
mod tests {
    use super::{Labels, behind, of_key, of_pieces, skip_cut_token};

    fn of_text(text: &str) -> Labels {
        of_pieces(std::iter::once(text.as_bytes()))
    }

    #[test]
    fn phrases_are_found_however_they_are_written() {
        for text in ["No. Rek: ", "nomor rekening tujuan", "Bank Account - ", "ACCOUNT NO.", "acct no"] {
            assert_eq!(of_text(text), Labels::ACCOUNT, "{text}");
        }
        for key in ["no_rek", "norek", "noRekening", "bankAccount", "account-number", "REKENING", "accountNo"]
        {
            assert_eq!(of_key(key.as_bytes()), Some(Labels::ACCOUNT), "{key}");
        }
        assert_eq!(of_key(b"BCAAccount"), Some(Labels::BCA));
        assert_eq!(of_key(b"number"), None);
    }

    #[test]
    fn words_inside_words_are_no_labels() {
        for text in ["brigade", "technik", "rekor", "abri", "mandiriku", "account 5 number", "no, account"] {
            assert_eq!(of_text(text), Labels::NONE, "{text}");
        }
    }

    #[test]
    fn tokens_are_no_labels() {
        assert_eq!(of_text("[REDACTED:bank_account] and [REDACTED:npwp]"), Labels::NONE);
        assert_eq!(of_text("bank [REDACTED:email] account"), Labels::NONE);
        let text = b"x [REDACTED:bank_account] y";
        for at in 3..25 {
            assert_eq!(skip_cut_token(text, 0, at), 25, "{at}");
        }
        assert_eq!(skip_cut_token(text, 0, 2), 2);
        assert_eq!(skip_cut_token(text, 0, 25), 25);
    }

    #[test]
    fn a_bank_may_be_named_behind() {
        assert_eq!(behind(b" (BCA) a.n. Budi"), Labels::BCA);
        assert_eq!(behind(b" Bank Mandiri"), Labels::MANDIRI);
        assert_eq!(behind(b", order for BCA"), Labels::NONE);
        assert_eq!(behind(b""), Labels::NONE);
        assert_eq!(behind(b" rekening"), Labels::ACCOUNT);
    }
}
