//! What a text can be understood to do. The code says what was found, the catalogue what it means for a call.

use serde::{Deserialize, Serialize};

macro_rules! signals {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// One finding of the understanding; written in kebab case in the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Signal { $($(#[$doc])* $name,)+ }

        impl Signal {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

signals! {
    /// A statement drops a table.
    SqlDropTable,
    /// A statement drops a database or schema.
    SqlDropDatabase,
    /// A statement drops another object: view, index, role, function and so on.
    SqlDropOther,
    /// A statement truncates a table.
    SqlTruncate,
    /// A statement alters a table.
    SqlAlterTable,
    /// A statement alters a role, a user, a schema or the server.
    SqlAlterOther,
    /// A statement grants rights.
    SqlGrant,
    /// A statement takes rights away.
    SqlRevoke,
    /// A statement creates a user or role.
    SqlCreateUser,
    /// DELETE without a condition, or with one that always holds.
    SqlDeleteAll,
    /// UPDATE without a condition, or with one that always holds.
    SqlUpdateAll,
    /// A statement reaches files or programs of the server.
    SqlServerAccess,
    /// A statement makes the server wait.
    SqlDelay,
    /// A second statement behind a harmless first one that changes or destroys.
    SqlStacked,
    /// A whole statement carries an injected piece.
    SqlInjectedStatement,
    /// A condition that always or never holds, as it is put into somebody else's statement.
    SqlTautology,
    /// A UNION that belongs to somebody else's statement.
    SqlUnion,
    /// A value that ends a quote and goes on in SQL.
    SqlBreakOut,
    /// A value that ends somebody else's statement with a comment.
    SqlCommentEnd,
    /// A subquery or a probing function in a value.
    SqlProbe,
    /// ORDER BY or HAVING put behind a value.
    SqlClause,
    /// Words split or hidden by comments.
    SqlSplitWords,
    /// A command removes or overwrites a system's or person's files.
    CommandDestroys,
    /// A command overwrites or formats a disk.
    CommandDisk,
    /// A downloaded or decoded text is run.
    CommandRunsDownload,
    /// A shell is opened to somebody else.
    CommandReverseShell,
    /// Credentials or key files are read or sent.
    CommandCredentials,
    /// Rights are raised or protection is switched off.
    CommandPrivilege,
    /// A value ends and a second command follows.
    CommandInjection,
    /// A path climbs out of its folder toward the system.
    PathTraversal,
    /// A path names a file that holds secrets or governs the system.
    PathSensitive,
    /// An address of a cloud's metadata service, however it is spelled.
    UrlMetadata,
    /// An address of this machine or an internal network in a spelling that hides it.
    UrlDisguised,
    /// An address of this machine or an internal network.
    UrlInternal,
    /// Text tells a model to forget what it was told.
    PromptOverride,
    /// Text gives a model another role.
    PromptRole,
    /// Text asks a model for its instructions or for secrets, or to send data out.
    PromptExfiltration,
    /// Text carries a chat template's markers.
    PromptMarker,
    /// Text is hidden from people and speaks to a model.
    PromptHidden,
}

impl Signal {
    /// It is about what a text asks of a model.
    pub fn asks_a_model(self) -> bool {
        matches!(
            self,
            Self::PromptOverride
                | Self::PromptRole
                | Self::PromptExfiltration
                | Self::PromptMarker
                | Self::PromptHidden
        )
    }
}

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals(u64);

impl Signals {
    /// Adds one.
    pub fn add(&mut self, signal: Signal) {
        self.0 |= 1 << signal as u64;
    }

    /// Whether it is in the set.
    pub fn has(self, signal: Signal) -> bool {
        self.0 & (1 << signal as u64) != 0
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds all of another set.
    pub fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

// One bit for each.
const _: () = assert!(Signal::ALL.len() <= 64);
