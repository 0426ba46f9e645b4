//! Secrets: by their form (prefixes of the big services, private keys, JSON web tokens, connection strings) and by the
//! name they are given (`password=`, `"api_key":`), the AxonFlow contract, family `sys_sensitive_*`.

mod form;
mod name;

pub(in crate::redact) use form::{long_runs, may_hold_key, run_at};
pub(in crate::redact) use name::{is_sign, is_value, kind_of as kind_of_name};

use crate::redact::window::Span;

/// Kinds of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// A private key in PEM.
    PrivateKey,
    /// User and password in a URL.
    Connection,
    /// A JSON web token.
    Jwt,
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Google,
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
    /// Slack.
    Slack,
    /// Stripe.
    Stripe,
    /// OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// The npm registry.
    Npm,
    /// The Python package index.
    PyPi,
    /// A token of another service, or one that is called so.
    Token,
    /// What is called a password.
    Password,
    /// What is called an API key.
    ApiKey,
    /// What is called a key of some sort, and looks drawn.
    Key,
    /// What is called a secret.
    Other,
}

/// A secret in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::redact) struct Found {
    pub(in crate::redact) span: Span,
    pub(in crate::redact) secret: Secret,
}

/// All secrets in a text, in order and without overlaps.
pub(in crate::redact) fn find(text: &[u8], found: &mut Vec<Found>) {
    found.clear();
    if !may_hold(text, true)
        && !form::may_hold_connection(text)
        && !long_runs(text).any(|run| may_start(text, run))
    {
        return;
    }
    form::find(text, found);
    name::find(text, found);
    if found.len() < 2 {
        return;
    }
    found.sort_by_key(|found| (found.span.start, usize::MAX - found.span.end));
    let mut end = 0;
    found.retain(|found| {
        let free = found.span.start >= end;
        end = if free { found.span.end } else { end };
        free
    });
}

/// Whether [`find`] might find something without an `@`, in raw JSON or in decoded text. No for almost all text, in one fast pass.
/// The long runs of the text are asked for with [`may_start`].
pub(in crate::redact) fn may_hold(text: &[u8], sign: bool) -> bool {
    may_hold_key(text) || sign && name::may_hold(text)
}

/// Whether a secret starts with a long run of the text.
pub(in crate::redact) fn may_start(text: &[u8], run: Span) -> bool {
    form::is_secret(text, run) || name::is_named(text, run)
}
