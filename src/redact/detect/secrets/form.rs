//! Secrets with a recognisable form.

use super::{Found, Secret};
use crate::redact::masks::{self, BLOCK, Block};
use crate::redact::window::Span;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Prepared searches: preparing one costs more than looking through a short text.
static BEGIN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"BEGIN "));
static SCHEME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"://"));

/// Shortest run of letters, digits, `_`, `-` and `.` that is looked at.
const SHORTEST_RUN: usize = masks::ROW;
/// Longest user name and password in a URL.
const LONGEST_CREDENTIALS: usize = 256;

/// A form: how it starts, and how many characters follow of which alphabet.
struct Form {
    start: &'static [u8],
    secret: Secret,
    least: usize,
    alphabet: Alphabet,
}

#[derive(Clone, Copy)]
enum Alphabet {
    /// Capitals and digits, exactly `least`.
    Capitals,
    /// Small hexadecimal digits, and capital ones.
    Hex,
    /// Letters and digits.
    Alphanumeric,
    /// Letters, digits, `_` and `-`.
    Url,
    /// Letters, digits, `_`, `-` and `.`.
    Dotted,
}

const fn form(start: &'static [u8], secret: Secret, least: usize, alphabet: Alphabet) -> Form {
    Form { start, secret, least, alphabet }
}

use Alphabet::{Alphanumeric, Capitals, Dotted, Hex, Url};

/// The forms, sorted by their first byte; of two that fit the first counts.
const FORMS: &[Form] = &[
    form(b"AAAAAAAAAAAAAAAAAAAA", Secret::Token, 60, Url),
    form(b"AGE-SECRET-KEY-1", Secret::Token, 50, Alphanumeric),
    form(b"ATATT3", Secret::Token, 100, Url),
    form(b"ATCTT3", Secret::Token, 100, Url),
    form(b"AKIA", Secret::Aws, 16, Capitals),
    form(b"ASIA", Secret::Aws, 16, Capitals),
    form(b"ABIA", Secret::Aws, 16, Capitals),
    form(b"ACCA", Secret::Aws, 16, Capitals),
    form(b"AROA", Secret::Aws, 16, Capitals),
    form(b"AIDA", Secret::Aws, 16, Capitals),
    form(b"ABSK", Secret::Aws, 60, Url),
    form(b"AIza", Secret::Google, 35, Url),
    form(b"AKCp", Secret::Token, 30, Alphanumeric),
    form(b"AKID", Secret::Token, 32, Alphanumeric),
    form(b"APKA", Secret::Aws, 16, Capitals),
    form(b"ANPA", Secret::Aws, 16, Capitals),
    form(b"AGPA", Secret::Aws, 16, Capitals),
    form(b"ASCA", Secret::Aws, 16, Capitals),
    form(b"AQVN", Secret::Token, 35, Url),
    form(b"ATBB", Secret::Token, 24, Alphanumeric),
    form(b"ATOA", Secret::Token, 40, Url),
    form(b"API-", Secret::Token, 16, Alphanumeric),
    form(b"AQE", Secret::Token, 100, Url),
    form(b"A3-", Secret::Token, 30, Url),
    form(b"AC", Secret::Token, 32, Hex),
    form(b"BBFF-", Secret::Token, 30, Alphanumeric),
    form(b"CLOJARS_", Secret::Token, 60, Alphanumeric),
    form(b"CFPAT-", Secret::Token, 40, Url),
    form(b"CCIPAT_", Secret::Token, 40, Url),
    form(b"CCIPRJ_", Secret::Token, 40, Url),
    form(b"EAACEdEose0cBA", Secret::Token, 20, Alphanumeric),
    form(b"EAAAE", Secret::Token, 50, Url),
    form(b"EZAK", Secret::Token, 54, Alphanumeric),
    form(b"EAAA", Secret::Token, 56, Url),
    form(b"EAAG", Secret::Token, 80, Alphanumeric),
    form(b"EAAC", Secret::Token, 80, Alphanumeric),
    form(b"EAAB", Secret::Token, 80, Alphanumeric),
    form(b"EAAJ", Secret::Token, 80, Alphanumeric),
    form(b"FLWSECK", Secret::Token, 24, Url),
    form(b"FLWPUBK", Secret::Token, 24, Url),
    form(b"FlyV1", Secret::Token, 40, Url),
    form(b"GR1348941", Secret::GitLab, 20, Url),
    form(b"GOCSPX-", Secret::Google, 24, Url),
    form(b"GOOG1E", Secret::Google, 57, Alphanumeric),
    form(b"HRKU-", Secret::Token, 36, Url),
    form(b"K00", Secret::Token, 26, Alphanumeric),
    form(b"LTAI", Secret::Token, 16, Alphanumeric),
    form(b"NRAK-", Secret::Token, 27, Capitals),
    form(b"NRII-", Secret::Token, 32, Url),
    form(b"NRAA-", Secret::Token, 27, Alphanumeric),
    form(b"NRJS-", Secret::Token, 19, Alphanumeric),
    form(b"PMAK-", Secret::Token, 40, Url),
    form(b"PMAT-", Secret::Token, 24, Url),
    form(b"RGAPI-", Secret::Token, 36, Url),
    form(b"SG.", Secret::Token, 40, Dotted),
    form(b"SBM", Secret::Token, 60, Alphanumeric),
    form(b"SK", Secret::Token, 32, Hex),
    form(b"UCA-", Secret::Token, 60, Url),
    form(b"VF.DM.", Secret::Token, 30, Dotted),
    form(b"YCAJE", Secret::Token, 30, Url),
    form(b"access-development-", Secret::Token, 36, Url),
    form(b"access-production-", Secret::Token, 36, Url),
    form(b"access-sandbox-", Secret::Token, 36, Url),
    form(b"ap_", Secret::Token, 32, Hex),
    form(b"apify_api_", Secret::Token, 26, Alphanumeric),
    form(b"api_org_", Secret::Token, 30, Alphanumeric),
    form(b"atlasv1", Secret::Token, 40, Url),
    form(b"akab-", Secret::Token, 30, Url),
    form(b"api-", Secret::Token, 36, Url),
    form(b"bkua_", Secret::Token, 30, Alphanumeric),
    form(b"bkaj_", Secret::Token, 30, Alphanumeric),
    form(b"cflt", Secret::Token, 48, Alphanumeric),
    form(b"cmVmd", Secret::Token, 50, Alphanumeric),
    form(b"cfut_", Secret::Token, 40, Url),
    form(b"cfat_", Secret::Token, 40, Url),
    form(b"csb_", Secret::Token, 40, Alphanumeric),
    form(b"cio", Secret::Token, 32, Alphanumeric),
    form(b"ck_", Secret::Token, 40, Hex),
    form(b"cs_", Secret::Token, 40, Hex),
    form(b"clh_", Secret::Token, 40, Url),
    form(b"duffel_live_", Secret::Token, 40, Url),
    form(b"duffel_test_", Secret::Token, 40, Url),
    form(b"dvc_server_", Secret::Token, 30, Url),
    form(b"dckr_pat_", Secret::Token, 20, Url),
    form(b"dckr_oat_", Secret::Token, 20, Url),
    form(b"dp.audit.", Secret::Token, 40, Alphanumeric),
    form(b"dp.scim.", Secret::Token, 40, Alphanumeric),
    form(b"dop_v1_", Secret::Token, 40, Alphanumeric),
    form(b"doo_v1_", Secret::Token, 40, Alphanumeric),
    form(b"dor_v1_", Secret::Token, 40, Alphanumeric),
    form(b"dt0c01.", Secret::Token, 80, Dotted),
    form(b"dt0s01.", Secret::Token, 80, Dotted),
    form(b"dt0s02.", Secret::Token, 80, Dotted),
    form(b"dp.pt.", Secret::Token, 40, Alphanumeric),
    form(b"dp.st.", Secret::Token, 40, Dotted),
    form(b"dp.ct.", Secret::Token, 40, Alphanumeric),
    form(b"dp.sa.", Secret::Token, 40, Alphanumeric),
    form(b"dapi", Secret::Token, 32, Alphanumeric),
    form(b"dG9r", Secret::Token, 50, Alphanumeric),
    form(b"ddp_", Secret::Token, 36, Alphanumeric),
    form(b"ddw_", Secret::Token, 36, Alphanumeric),
    form(b"ddo_", Secret::Token, 36, Alphanumeric),
    form(b"ddc_", Secret::Token, 36, Alphanumeric),
    form(b"ddn_", Secret::Token, 36, Alphanumeric),
    form(b"eu01xx", Secret::Token, 30, Alphanumeric),
    form(b"eyJrIjoi", Secret::Token, 50, Alphanumeric),
    form(b"eyJ", Secret::Jwt, 30, Dotted),
    form(b"e2b_", Secret::Token, 40, Alphanumeric),
    form(b"ecfg_", Secret::Token, 24, Alphanumeric),
    form(b"fio-u-", Secret::Token, 40, Url),
    form(b"figd_", Secret::Token, 30, Url),
    form(b"fo1_", Secret::Token, 43, Url),
    form(b"fpt_", Secret::Token, 30, Url),
    form(b"fm1_", Secret::Token, 60, Url),
    form(b"fm2_", Secret::Token, 60, Url),
    form(b"fnA", Secret::Token, 40, Url),
    form(b"fw_", Secret::Token, 20, Alphanumeric),
    form(b"fc-", Secret::Token, 32, Hex),
    form(b"figo_", Secret::Token, 30, Url),
    form(b"github_pat_", Secret::GitHub, 30, Url),
    form(b"glitch-", Secret::Token, 36, Url),
    form(b"glagent-", Secret::GitLab, 20, Url),
    form(b"glsoat-", Secret::GitLab, 20, Url),
    form(b"glffct-", Secret::GitLab, 20, Url),
    form(b"glpat-", Secret::GitLab, 20, Dotted),
    form(b"glptt-", Secret::GitLab, 20, Url),
    form(b"glcbt-", Secret::GitLab, 20, Url),
    form(b"gloas-", Secret::GitLab, 20, Url),
    form(b"glimt-", Secret::GitLab, 20, Url),
    form(b"gldt-", Secret::GitLab, 20, Url),
    form(b"glrt-", Secret::GitLab, 20, Url),
    form(b"glft-", Secret::GitLab, 20, Url),
    form(b"glsa_", Secret::Token, 32, Url),
    form(b"glwt-", Secret::GitLab, 20, Url),
    form(b"ghp_", Secret::GitHub, 30, Alphanumeric),
    form(b"gho_", Secret::GitHub, 30, Alphanumeric),
    form(b"ghu_", Secret::GitHub, 30, Alphanumeric),
    form(b"ghs_", Secret::GitHub, 30, Alphanumeric),
    form(b"ghr_", Secret::GitHub, 30, Alphanumeric),
    form(b"gsk_", Secret::Token, 40, Alphanumeric),
    form(b"glc_", Secret::Token, 32, Alphanumeric),
    form(b"gAAAAAB", Secret::Token, 60, Url),
    form(b"glrtr-", Secret::Token, 20, Url),
    form(b"hexpm_", Secret::Token, 30, Alphanumeric),
    form(b"hvs.", Secret::Token, 24, Url),
    form(b"hvb.", Secret::Token, 24, Url),
    form(b"hf_", Secret::Token, 30, Alphanumeric),
    form(b"hvr.", Secret::Token, 24, Url),
    form(b"jfrog_", Secret::Token, 40, Url),
    form(b"jina_", Secret::Token, 40, Url),
    form(b"key-", Secret::Token, 32, Alphanumeric),
    form(b"keyId-", Secret::Token, 30, Url),
    form(b"lin_api_", Secret::Token, 30, Alphanumeric),
    form(b"lsv2_pt_", Secret::Token, 32, Url),
    form(b"lsv2_sk_", Secret::Token, 32, Url),
    form(b"live_", Secret::Token, 35, Alphanumeric),
    form(b"lmsq_", Secret::Token, 30, Url),
    form(b"lsv2_", Secret::Token, 60, Url),
    form(b"ls__", Secret::Token, 32, Alphanumeric),
    form(b"link-production-", Secret::Token, 36, Url),
    form(b"link-sandbox-", Secret::Token, 36, Url),
    form(b"link-development-", Secret::Token, 36, Url),
    form(b"lin_oauth_", Secret::Token, 30, Alphanumeric),
    form(b"lin_wh_", Secret::Token, 30, Alphanumeric),
    form(b"mg-api-", Secret::Token, 30, Url),
    form(b"mfa.", Secret::Token, 60, Url),
    form(b"mlsn.", Secret::Token, 50, Alphanumeric),
    form(b"mob-", Secret::Token, 36, Url),
    form(b"m0-", Secret::Token, 36, Alphanumeric),
    form(b"nvapi-", Secret::Token, 50, Url),
    form(b"napi_", Secret::Token, 40, Alphanumeric),
    form(b"npm_", Secret::Npm, 30, Alphanumeric),
    form(b"ntn_", Secret::Token, 40, Alphanumeric),
    form(b"nfp_", Secret::Token, 36, Alphanumeric),
    form(b"ocid1.user.", Secret::Token, 60, Dotted),
    form(b"ops_eyJ", Secret::Token, 60, Url),
    form(b"oy2", Secret::Token, 43, Alphanumeric),
    form(b"os_v2_", Secret::Token, 60, Url),
    form(b"pub-c-", Secret::Token, 36, Url),
    form(b"pscale_oauth_", Secret::Token, 32, Dotted),
    form(b"pscale_tkn_", Secret::Token, 32, Dotted),
    form(b"pscale_pw_", Secret::Token, 32, Dotted),
    form(b"pk_live_", Secret::Stripe, 10, Alphanumeric),
    form(b"pat-na1-", Secret::Token, 36, Url),
    form(b"pat-eu1-", Secret::Token, 36, Url),
    form(b"pk_test_", Secret::Stripe, 20, Alphanumeric),
    form(b"project-", Secret::Token, 36, Alphanumeric),
    form(b"pk.eyJ", Secret::Token, 60, Dotted),
    form(b"pypi-", Secret::PyPi, 40, Url),
    form(b"pplx-", Secret::Token, 32, Alphanumeric),
    form(b"pcsk_", Secret::Token, 40, Url),
    form(b"pul-", Secret::Token, 40, Alphanumeric),
    form(b"phc_", Secret::Token, 40, Alphanumeric),
    form(b"phx_", Secret::Token, 40, Alphanumeric),
    form(b"p8e-", Secret::Token, 32, Alphanumeric),
    form(b"phs_", Secret::Token, 40, Alphanumeric),
    form(b"pnu_", Secret::Token, 36, Alphanumeric),
    form(b"pat", Secret::Token, 70, Dotted),
    form(b"pa-", Secret::Token, 43, Url),
    form(b"pina_", Secret::Token, 40, Url),
    form(b"public-token-", Secret::Token, 30, Url),
    form(b"pk-lf-", Secret::Token, 36, Url),
    form(b"pk-", Secret::Token, 30, Alphanumeric),
    form(b"pk_", Secret::Token, 32, Url),
    form(b"rubygems_", Secret::Token, 40, Alphanumeric),
    form(b"rzp_live_", Secret::Token, 14, Alphanumeric),
    form(b"rzp_test_", Secret::Token, 14, Alphanumeric),
    form(b"rk_live_", Secret::Stripe, 10, Alphanumeric),
    form(b"rk_test_", Secret::Stripe, 10, Alphanumeric),
    form(b"rootly_", Secret::Token, 60, Alphanumeric),
    form(b"rdme_", Secret::Token, 60, Alphanumeric),
    form(b"rnd_", Secret::Token, 24, Alphanumeric),
    form(b"r8_", Secret::Token, 37, Alphanumeric),
    form(b"re_", Secret::Token, 32, Url),
    form(b"rpa_", Secret::Token, 36, Alphanumeric),
    form(b"rootly-", Secret::Token, 40, Url),
    form(b"shippo_live_", Secret::Token, 32, Alphanumeric),
    form(b"shippo_test_", Secret::Token, 32, Alphanumeric),
    form(b"sub-c-", Secret::Token, 36, Url),
    form(b"sec-c-", Secret::Token, 36, Url),
    form(b"sk-svcacct-", Secret::OpenAi, 20, Url),
    form(b"sb_secret_", Secret::Token, 20, Url),
    form(b"sk-or-v1-", Secret::Token, 32, Alphanumeric),
    form(b"sk-admin-", Secret::OpenAi, 20, Url),
    form(b"s-s4t2ud-", Secret::Token, 60, Hex),
    form(b"s-s4t2af-", Secret::Token, 60, Hex),
    form(b"sk_live_", Secret::Stripe, 10, Alphanumeric),
    form(b"sk_test_", Secret::Stripe, 10, Alphanumeric),
    form(b"sk_prod_", Secret::Stripe, 10, Alphanumeric),
    form(b"sk-proj-", Secret::OpenAi, 20, Url),
    form(b"sk-ant-", Secret::Anthropic, 20, Url),
    form(b"secret_", Secret::Token, 43, Alphanumeric),
    form(b"sntrys_", Secret::Token, 40, Dotted),
    form(b"sntryu_", Secret::Token, 40, Alphanumeric),
    form(b"sq0atp-", Secret::Token, 22, Url),
    form(b"sq0csp-", Secret::Token, 40, Url),
    form(b"sq0idp-", Secret::Token, 22, Url),
    form(b"secret-", Secret::Token, 36, Alphanumeric),
    form(b"shpat_", Secret::Token, 32, Alphanumeric),
    form(b"shpca_", Secret::Token, 32, Alphanumeric),
    form(b"shppa_", Secret::Token, 32, Alphanumeric),
    form(b"shpss_", Secret::Token, 32, Alphanumeric),
    form(b"sk.eyJ", Secret::Token, 60, Dotted),
    form(b"st.cs.", Secret::Token, 30, Url),
    form(b"sl.u.", Secret::Token, 100, Dotted),
    form(b"sbp_", Secret::Token, 40, Alphanumeric),
    form(b"sdk-", Secret::Token, 36, Url),
    form(b"sgp_", Secret::Token, 40, Url),
    form(b"sqp_", Secret::Token, 40, Alphanumeric),
    form(b"squ_", Secret::Token, 40, Alphanumeric),
    form(b"sqa_", Secret::Token, 40, Alphanumeric),
    form(b"sk-", Secret::OpenAi, 32, Url),
    form(b"sk_", Secret::Token, 24, Alphanumeric),
    form(b"sl.", Secret::Token, 100, Dotted),
    form(b"secretId-", Secret::Token, 30, Url),
    form(b"sb_publishable_", Secret::Token, 20, Url),
    form(b"shpua_", Secret::Token, 32, Alphanumeric),
    form(b"tgp_v1_", Secret::Token, 40, Url),
    form(b"tskey-", Secret::Token, 20, Url),
    form(b"tk-us-", Secret::Token, 48, Url),
    form(b"tvly-", Secret::Token, 30, Url),
    form(b"test_", Secret::Token, 35, Hex),
    form(b"tfp_", Secret::Token, 40, Url),
    form(b"t1.", Secret::Token, 80, Dotted),
    form(b"testsk_", Secret::Token, 24, Url),
    form(b"vercel_", Secret::Token, 24, Url),
    form(b"v1.0-", Secret::Token, 140, Url),
    form(b"vcp_", Secret::Token, 20, Alphanumeric),
    form(b"vck_", Secret::Token, 20, Alphanumeric),
    form(b"vci_", Secret::Token, 40, Alphanumeric),
    form(b"v4.local.", Secret::Token, 60, Dotted),
    form(b"v2.local.", Secret::Token, 60, Dotted),
    form(b"whsec_", Secret::Stripe, 24, Alphanumeric),
    form(b"xsmtpsib-", Secret::Token, 64, Url),
    form(b"xkeysib-", Secret::Token, 64, Url),
    form(b"xoxb-", Secret::Slack, 20, Url),
    form(b"xoxp-", Secret::Slack, 20, Url),
    form(b"xoxa-", Secret::Slack, 20, Url),
    form(b"xoxr-", Secret::Slack, 20, Url),
    form(b"xoxs-", Secret::Slack, 20, Url),
    form(b"xoxe-", Secret::Slack, 20, Url),
    form(b"xoxe.", Secret::Slack, 20, Dotted),
    form(b"xoxo-", Secret::Slack, 20, Url),
    form(b"xapp-", Secret::Slack, 20, Url),
    form(b"xoxc-", Secret::Slack, 20, Url),
    form(b"xoxd-", Secret::Slack, 20, Url),
    form(b"xai-", Secret::Token, 40, Alphanumeric),
    form(b"xau_", Secret::Token, 60, Url),
    form(b"ya29.", Secret::Google, 20, Dotted),
    form(b"y0_", Secret::Token, 40, Url),
    form(b"zpka_", Secret::Token, 40, Url),
];

/// For every byte: the forms that start with it, first and behind the last.
const STARTS: [(u16, u16); 256] = {
    let mut table = [(0, 0); 256];
    let mut row = 0;
    while row < FORMS.len() {
        let byte = FORMS[row].start[0] as usize;
        if table[byte].1 == 0 {
            table[byte].0 = row as u16;
        } else {
            assert!(table[byte].1 as usize == row, "forms are sorted by their first byte");
        }
        table[byte].1 = row as u16 + 1;
        row += 1;
    }
    table
};

/// For every byte: whether it belongs to a run.
const RUN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        table[byte] = value.is_ascii_alphanumeric() || matches!(value, b'_' | b'-' | b'.');
        byte += 1;
    }
    table
};

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
        }
    }
}

/// The runs of at least twelve letters, digits, `_`, `-` and `.` in a text. Long texts are searched by vector code;
/// of short ones one byte of twelve is looked at where they have shorter words.
pub(in crate::redact) fn long_runs(text: &[u8]) -> LongRuns<'_> {
    LongRuns { text, start: 0 }
}

/// See [`long_runs`].
pub(in crate::redact) struct LongRuns<'a> {
    text: &'a [u8],
    start: usize,
}

impl Iterator for LongRuns<'_> {
    type Item = Span;

    #[inline]
    fn next(&mut self) -> Option<Span> {
        let text = self.text;
        let mut start = skip_short_runs(text, self.start);
        loop {
            let first_end = start + SHORTEST_RUN;
            if first_end > text.len() {
                return None;
            }
            let mut at = first_end;
            while at > start && RUN[usize::from(text[at - 1])] {
                at -= 1;
            }
            if at == start {
                let end = run_end(text, first_end);
                self.start = end;
                return Some(Span { start, end });
            }
            start = at;
        }
    }
}

/// Where the next long run starts, or a place before it, up to which there is none. No run goes on at `start`.
fn skip_short_runs(text: &[u8], start: usize) -> usize {
    let rest = &text[start..];
    if rest.len() < 2 * BLOCK {
        return start;
    }
    let blocks = rest.as_chunks::<BLOCK>().0;
    let mut first = Block::new(&blocks[0]).mask(masks::runs);
    for (index, next) in blocks[1..].iter().enumerate() {
        let second = Block::new(next).mask(masks::runs);
        let rows = masks::rows(first, second);
        if rows != 0 {
            return start + index * BLOCK + rows.trailing_zeros() as usize;
        }
        first = second;
    }
    start + (blocks.len() - 1) * BLOCK
}

/// 1 for what belongs to a run, by arithmetic that vector code has.
#[inline]
fn is_run(byte: u8) -> u8 {
    let letter = u8::from((byte | 0x20).wrapping_sub(b'a') < 26);
    let digit = u8::from(byte.wrapping_sub(b'0') < 10);
    letter | digit | u8::from(byte == b'_') | u8::from(byte == b'-') | u8::from(byte == b'.')
}

/// The run at `at`, of whose bytes the first `known` are known.
pub(in crate::redact) fn run_at(text: &[u8], at: usize, known: usize) -> Span {
    Span { start: at, end: run_end(text, at + known) }
}

/// Where a run that `at` lies in ends. Whole blocks are judged by vector code, since media are long.
fn run_end(text: &[u8], at: usize) -> usize {
    let mut at = at;
    let (blocks, _) = text[at..].as_chunks::<32>();
    for block in blocks {
        if block.iter().fold(0, |foreign, byte| foreign | (1 - is_run(*byte))) != 0 {
            break;
        }
        at += 32;
    }
    while text.get(at).is_some_and(|byte| RUN[usize::from(*byte)]) {
        at += 1;
    }
    at
}

/// The secret that a run starts with.
fn judge(run: &[u8]) -> Option<(usize, Secret)> {
    if run.len() < 16 {
        return None;
    }
    known(run).or_else(|| unknown(run)).or_else(|| told(run))
}

/// Shortest random part of a token whose prefix nobody knows: identifiers with a prefix have up to 29 characters.
const SHORTEST_UNKNOWN: usize = 32;

/// The same with signs among the random characters.
const SHORTEST_WITH_SIGNS: usize = 36;

/// Longest token whose prefix nobody knows; media are longer.
const LONGEST_UNKNOWN: usize = 512;

/// Words in the prefix of a token that say what it is.
const TELLING: [&[u8]; 22] = [
    b"live",
    b"test",
    b"prod",
    b"production",
    b"sandbox",
    b"secret",
    b"token",
    b"key",
    b"apikey",
    b"api",
    b"pat",
    b"sk",
    b"access",
    b"private",
    b"auth",
    b"oauth",
    b"refresh",
    b"webhook",
    b"personal",
    b"admin",
    b"deploy",
    b"restricted",
];

/// Shortest random part of a token whose prefix says what it is.
const SHORTEST_TOLD: usize = 20;

/// A token whose prefix nobody knows, but says what it is: `acme_live_…`, `shop-api-token-…`.
fn told(run: &[u8]) -> Option<(usize, Secret)> {
    if !run[0].is_ascii_lowercase() || run.len() > LONGEST_UNKNOWN {
        return None;
    }
    let length = run.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (head, body) = run.split_at(run.len() - length);
    if !(4..=32).contains(&head.len()) || body.len() < SHORTEST_TOLD {
        return None;
    }
    let count = |wanted: fn(&u8) -> bool| body.iter().filter(|byte| wanted(byte)).count();
    let drawn = count(u8::is_ascii_digit) >= 4 && count(u8::is_ascii_alphabetic) >= 4;
    let small = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let mut words = head.split(|byte| matches!(byte, b'_' | b'-'));
    (drawn && head.iter().all(small) && words.any(|word| TELLING.contains(&word)))
        .then_some((run.len(), Secret::Token))
}

/// A token that only looks like one: words in small letters, `_` or `-`, then many random characters. And those that
/// are told by the lengths of their parts.
fn unknown(run: &[u8]) -> Option<(usize, Secret)> {
    if !(SHORTEST_UNKNOWN + 2..=LONGEST_UNKNOWN).contains(&run.len()) {
        return None;
    }
    let sign = |byte: &u8| matches!(byte, b'_' | b'-' | b'.');
    let ends = |length: usize| run.get(length).is_none_or(sign);
    // `0123…ef-us12`: 32 hexadecimal digits and a data centre.
    if run[..32].iter().all(u8::is_ascii_hexdigit) && run[32..].starts_with(b"-us") {
        let digits = run[35..].iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        return (matches!(digits, 1 | 2) && ends(35 + digits)).then_some((35 + digits, Secret::Token));
    }
    // A bot's token: its number in base64, a time, a sum.
    let mut parts = run.split(|byte| *byte == b'.');
    if let (Some(first), Some(second), Some(third)) = (parts.next(), parts.next(), parts.next())
        && matches!(first.len(), 24..=28)
        && second.len() == 6
        && matches!(third.len(), 27..=38)
        && is_mixed(first)
        && is_mixed(third)
    {
        return Some((first.len() + second.len() + third.len() + 2, Secret::Token));
    }
    if memchr::memmem::find(&run[..32], b".atlasv1.").is_some() {
        return Some((run.len(), Secret::Token));
    }
    // A short word, a sign, and a random part with signs of its own.
    let small = run.iter().take(9).take_while(|byte| byte.is_ascii_lowercase()).count();
    let large = run.iter().take(9).take_while(|byte| byte.is_ascii_uppercase()).count();
    let word = small.max(large);
    if (2..=8).contains(&word) && matches!(run[word], b'_' | b'-') {
        let body = &run[word + 1..];
        let signs = body.iter().filter(|byte| sign(byte)).count();
        let capitals = body.iter().filter(|byte| byte.is_ascii_uppercase()).count();
        if body.len() >= SHORTEST_WITH_SIGNS && is_mixed(body) && signs * 10 <= body.len() && capitals >= 6 {
            return Some((run.len(), Secret::Token));
        }
    }
    let length = run.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (head, body) = run.split_at(run.len() - length);
    let prefix = (2..=16).contains(&head.len())
        && head[0].is_ascii_lowercase()
        && head.last() == Some(&b'_')
        && head.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || sign(byte));
    (prefix && body.len() >= SHORTEST_UNKNOWN && is_mixed(body)).then_some((run.len(), Secret::Token))
}

/// Whether small letters, capitals and digits are mixed as a machine mixes them.
fn is_mixed(text: &[u8]) -> bool {
    let count = |wanted: fn(&u8) -> bool| text.iter().filter(|byte| wanted(byte)).count();
    count(u8::is_ascii_digit) >= 2 && count(u8::is_ascii_lowercase) >= 3 && count(u8::is_ascii_uppercase) >= 3
}

/// A secret that is told by what stands before a run: where the secret starts.
fn placed(text: &[u8], run: Span) -> Option<(Span, Secret)> {
    let before = &text[run.start.saturating_sub(LONGEST_PLACE)..run.start];
    let body = &text[run.start..run.end];
    // A bot's number, a colon, 35 characters that start with AA.
    if body.starts_with(b"AA") && body.len() == 35 && before.ends_with(b":") {
        let number = before[..before.len() - 1].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        return (8..=10)
            .contains(&number)
            .then_some((Span { start: run.start - number - 1, end: run.end }, Secret::Token));
    }
    if !before.ends_with(b"/") || body.len() < 20 {
        return None;
    }
    // The address of a hook is the secret, and so is one with a key in its path.
    let begin = before
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'(' | b'='))
        .map_or(0, |at| at + 1);
    let url = &before[begin..];
    let scheme = memchr::memmem::find(url, b"://")?;
    let from = url[..scheme].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let start = run.start - url.len() + scheme - from;
    let holds = |place: &[u8]| memchr::memmem::find(&url[scheme..], place).is_some();
    if holds(b"hooks.slack.com/") {
        return Some((Span { start, end: run.end }, Secret::Slack));
    }
    let drawn = is_mixed(body) || is_hexadecimal(body);
    (drawn && PLACES.iter().any(|place| holds(place)))
        .then_some((Span { start, end: run.end }, Secret::Token))
}

/// Places in a URL behind which a key stands in the path.
const PLACES: [&[u8]; 18] = [
    b"//hook.",
    b"api.render.com/deploy/",
    b"/webhook/",
    b"/webhooks/",
    b"/webhookb2/",
    b"/build_hooks/",
    b"/hooks/",
    b"//hooks.",
    b"/integrations/deploy/",
    b"//maker.ifttt.com/",
    b".infura.io/v3/",
    b".alchemy.com/v2/",
    b".alchemyapi.io/v2/",
    b".quiknode.pro/",
    b".getblock.io/",
    b".chainstack",
    b"//hc-ping.com/",
    b"/services/hooks/",
];

/// Whether a text is at least 32 hexadecimal digits, perhaps in the groups of a UUID.
fn is_hexadecimal(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
    digits >= 32 && text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

/// Reach of the place before a run: a host, a path, a number.
const LONGEST_PLACE: usize = 160;

/// A secret whose prefix is known.
fn known(run: &[u8]) -> Option<(usize, Secret)> {
    let (from, to) = STARTS[usize::from(run[0])];
    FORMS[usize::from(from)..usize::from(to)].iter().filter(|form| run.starts_with(form.start)).find_map(
        |form| {
            let rest = &run[form.start.len()..];
            let length = rest.iter().take_while(|byte| form.alphabet.has(**byte)).count();
            let mut end = form.start.len() + length;
            while run[end - 1] == b'.' {
                end -= 1;
            }
            let exact =
                !matches!(form.alphabet, Capitals | Hex) || length == form.least || form.start.len() > 4;
            let fits = length >= form.least && exact && is_random(form, &rest[..length]);
            let token = !matches!(form.secret, Secret::Jwt)
                || rest[..length].iter().filter(|byte| **byte == b'.').count() >= 1;
            (fits && token).then_some((end, form.secret))
        },
    )
}

/// Whether the characters look drawn and not written: prefixes of one or two signs are words of other languages too.
fn is_random(form: &Form, rest: &[u8]) -> bool {
    let digits = rest.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hyphens = rest.iter().filter(|byte| **byte == b'-').count();
    matches!(form.secret, Secret::Aws | Secret::Jwt)
        || form.start.len() > 5
        || digits >= 2 && hyphens * 6 <= rest.len()
}

/// The places in a run at which a secret may begin: its first byte, and behind the `n` of an escaped line break.
fn starts(text: &[u8], run: Span) -> impl Iterator<Item = usize> {
    let escaped = run.start > 0 && text[run.start - 1] == b'\\';
    std::iter::once(run.start).chain(escaped.then_some(run.start + 1))
}

/// Whether a run of a text starts with a secret; also behind the `n` of an escaped line break.
pub(super) fn is_secret(text: &[u8], run: Span) -> bool {
    starts(text, run).any(|start| judge(&text[start..run.end]).is_some())
        || placed(text, run).is_some()
        || putty(text, run).is_some()
}

/// Whether a private key may stand in a text.
pub(in crate::redact) fn may_hold_key(text: &[u8]) -> bool {
    text.len() > 64 && BEGIN.find_iter(text).any(|at| dashes_before(text, at).is_some())
}

/// Where the dashes before `BEGIN` start, four of them with a space or five.
fn dashes_before(text: &[u8], at: usize) -> Option<usize> {
    [&b"-----"[..], b"---- "].iter().any(|dashes| text[..at].ends_with(dashes)).then(|| at - 5)
}

/// How a key of PuTTY starts, and what its last line starts with.
const PUTTY: &[u8] = b"PuTTY-User-Key-File-";
const PUTTY_END: &[u8] = b"Private-MAC: ";

/// The key of PuTTY that starts with a run.
fn putty(text: &[u8], run: Span) -> Option<Span> {
    if !text[run.start..run.end].starts_with(PUTTY)
        || memchr::memmem::find(&text[run.end..], b"Private-Lines").is_none()
    {
        return None;
    }
    let end = memchr::memmem::find(&text[run.start..], PUTTY_END).map_or(text.len(), |offset| {
        let sum = run.start + offset + PUTTY_END.len();
        sum + text[sum..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
    });
    Some(Span { start: run.start, end })
}

/// Whether a URL with user and password may stand in a text.
pub(super) fn may_hold_connection(text: &[u8]) -> bool {
    memchr::memchr(b'@', text).is_some() && SCHEME.find(text).is_some()
}

pub(super) fn find(text: &[u8], found: &mut Vec<Found>) {
    for run in long_runs(text) {
        if let Some((length, secret)) = judge(&text[run.start..run.end]) {
            found.push(Found { span: Span { start: run.start, end: run.start + length }, secret });
        } else if let Some((span, secret)) = placed(text, run) {
            found.push(Found { span, secret });
        } else if let Some(span) = putty(text, run) {
            found.push(Found { span, secret: Secret::PrivateKey });
        }
    }
    private_keys(text, found);
    connections(text, found);
}

fn private_keys(text: &[u8], found: &mut Vec<Found>) {
    let mut at = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| BEGIN.find(rest)) {
        at += offset + 6;
        let Some(start) = dashes_before(text, at - 6) else { continue };
        let head = &text[start..text.len().min(start + 64)];
        if memchr::memmem::find(head, b"PRIVATE KEY").is_none() {
            continue;
        }
        let end = closing(&text[at..]).map_or(text.len(), |offset| {
            let tail = at + offset + 9;
            let close = memchr::memmem::find(&text[tail..text.len().min(tail + 64)], b"----");
            let close = close.map_or(text.len().min(tail + 64), |offset| tail + offset);
            close + text[close..].iter().take(5).take_while(|byte| **byte == b'-').count()
        });
        let end = floor_of_character(text, end);
        found.push(Found { span: Span { start, end }, secret: Secret::PrivateKey });
        at = end;
    }
}

/// Where the line that closes a key begins.
fn closing(text: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(text, b"END ").find_map(|at| dashes_before(text, at))
}

/// The start of the character that `at` lies in.
fn floor_of_character(text: &[u8], at: usize) -> usize {
    (0..4)
        .find(|back| text.get(at - back).is_none_or(|byte| byte & 0xC0 != 0x80))
        .map_or(at, |back| at - back)
}

/// `scheme://user:password@`: user and password are masked.
fn connections(text: &[u8], found: &mut Vec<Found>) {
    for at in memchr::memchr_iter(b'@', text) {
        let window = &text[at.saturating_sub(LONGEST_CREDENTIALS)..at];
        let from = window
            .iter()
            .rposition(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>' | b'['));
        let window = &window[from.map_or(0, |from| from + 1)..];
        let Some(scheme) = memchr::memmem::rfind(window, b"://") else { continue };
        let credentials = &window[scheme + 3..];
        let Some(colon) = credentials.iter().position(|byte| *byte == b':') else { continue };
        let password = &credentials[colon + 1..];
        let host = text
            .get(at + 1)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'[' | b'$' | b'{'));
        let path = credentials.iter().any(|byte| matches!(byte, b'/' | b'?' | b'#'));
        if password.is_empty() || path || !host || super::name::is_placeholder(password) {
            continue;
        }
        found.push(Found {
            span: Span { start: at - credentials.len(), end: at },
            secret: Secret::Connection,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{SHORTEST_RUN, is_run, long_runs};
    use crate::redact::window::Span;
    use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};

    proptest! {
        #[test]
        fn long_runs_are_those_of_a_plain_search(
            pieces in proptest::collection::vec(
                prop_oneof![4 => (1usize..30).prop_map(Some), 3 => Just(None)], 0..60
            )
        ) {
            let text: Vec<u8> =
                pieces.iter().flat_map(|piece| piece.map_or(vec![b' '], |length| vec![b'a'; length])).collect();
            let mut expected = Vec::new();
            let mut start = 0;
            for part in text.split(|byte| is_run(*byte) == 0) {
                if part.len() >= SHORTEST_RUN {
                    expected.push(Span { start, end: start + part.len() });
                }
                start += part.len() + 1;
            }
            prop_assert_eq!(long_runs(&text).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn arithmetic_and_table_agree() {
        for byte in 0..=255 {
            assert_eq!(is_run(byte) == 1, super::RUN[usize::from(byte)], "{byte}");
        }
    }
}
