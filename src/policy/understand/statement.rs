//! Judges a text that is a SQL statement by its tree.

use super::tokens::{Kind, Token, tokens};
use crate::policy::confirm::is_prose_name;
use crate::policy::signal::{Signal, Signals};
use sqlparser::ast::{
    CopyTarget, Delete, Expr, FromTable, Function, ObjectName, ObjectType, Statement, Update, Value, Visit,
    Visitor,
};
use sqlparser::dialect::{Dialect, GenericDialect, MsSqlDialect, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::{Parser, ParserError};
use std::ops::ControlFlow;

/// What wakes this kind of understanding: a statement's verb where one may begin, and something that its tree could
/// say. A plain SELECT is not parsed.
pub(super) const WAKE: &str = r"\A(?:\s|\(|--[^\n]*\n|/\*)*(?:drop|truncate|alter|grant|revoke|deny|delete|update|create\s+(?:user|role|login)|copy|call|exec|execute|do|load|attach|shutdown|kill|backup|restore|merge|rename|(?:select|with|explain|insert|values|begin|set|use|declare)\b.*?(?:;|\b(?:delete|update|insert|drop|truncate|into|(?:\w*sleep\w*|benchmark|pg_\w+|lo_\w+|dblink\w*|load_\w+|readfile|writefile|xp_\w+|sys_\w+|dbms_\w+|utl_\w+|randomblob|edit)\s*[(.])))";

/// Longest statement that is parsed; longer ones are judged by their tokens alone.
const PARSED_BYTES: usize = 64 * 1024;
/// Most tokens that are parsed. The parser and the tree's own end recurse once for each token in the worst case, at up
/// to 10 KiB without optimisation.
const PARSED_TOKENS: usize = 6_000;
/// Most tokens that are parsed on the caller's stack: 100 cost at most 1 MiB, half of what threads have.
const IN_PLACE_TOKENS: usize = 100;
/// Deepest nesting that is parsed on the caller's stack, at up to 50 KiB for each level without optimisation.
const IN_PLACE_DEPTH: usize = 14;
/// Deepest nesting that is parsed at all.
const PARSED_DEPTH: usize = 50;
/// Stack of the thread that parses more: that many tokens at 10 KiB.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Functions that reach the server's files, programs or other servers.
const SERVER: &[&str] = &[
    "pg_read_file",
    "pg_read_binary_file",
    "pg_ls_dir",
    "pg_stat_file",
    "pg_execute_server_program",
    "lo_import",
    "lo_export",
    "load_file",
    "load_extension",
    "readfile",
    "writefile",
    "xp_cmdshell",
    "sys_exec",
    "sys_eval",
    "dblink",
    "dblink_connect",
    "dblink_exec",
    "pg_terminate_backend",
    "pg_reload_conf",
    "utl_http",
    "utl_file",
    "edit",
    "pg_file_write",
    "xp_dirtree",
    "xp_regread",
];
/// Functions that make the server wait.
const DELAYS: &[&str] =
    &["sleep", "pg_sleep", "pg_sleep_for", "pg_sleep_until", "benchmark", "dbms_pipe", "dbms_lock"];

/// Adds what the statement does, if it is one.
pub(super) fn judge(text: &str, signals: &mut Signals) {
    unparsed(text, signals);
    if text.len() > PARSED_BYTES {
        return;
    }
    match tokens(text, None).len() {
        ..=IN_PLACE_TOKENS if parse(text, IN_PLACE_DEPTH, signals).is_ok() => return,
        PARSED_TOKENS.. => return,
        _ => {}
    }
    let owned = text.to_owned();
    let thread = std::thread::Builder::new().name("sql".into()).stack_size(STACK_BYTES).spawn(move || {
        let mut found = Signals::default();
        // Deeper than that is no statement that anybody wrote.
        if parse(&owned, PARSED_DEPTH, &mut found).is_err() {
            found.add(Signal::SqlInjectedStatement);
        }
        found
    });
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(found)) => signals.merge(found),
        // What cannot be judged is not called harmless.
        Ok(Err(_)) | Err(_) => signals.add(Signal::SqlInjectedStatement),
    }
}

/// Statements that the parser does not know but databases do.
fn unparsed(text: &str, signals: &mut Signals) {
    let head: Vec<Token<'_>> = {
        let end = text.char_indices().nth(200).map_or(text.len(), |(at, _)| at);
        tokens(&text[..end], None).into_iter().filter(|token| token.kind != Kind::Comment).take(6).collect()
    };
    let is = |at: usize, words: &[&str]| head.get(at).is_some_and(|token: &Token<'_>| token.is_any(words));
    if is(0, &["alter"]) && is(1, &["system", "user", "login", "role"]) && head.len() > 3 {
        let says = [
            "set",
            "with",
            "password",
            "identified",
            "superuser",
            "nosuperuser",
            "createrole",
            "createdb",
            "enable",
            "disable",
            "default",
            "rename",
            "reset",
        ];
        if is(2, &says) || is(3, &says) {
            signals.add(Signal::SqlAlterOther);
        }
    }
    let quoted = |at: usize| head.get(at).is_some_and(|token| matches!(token.kind, Kind::Quoted { .. }));
    if (is(0, &["load"]) && is(1, &["data"]) && (quoted(3) || quoted(4)))
        || (is(0, &["attach"]) && (is(1, &["database"]) && quoted(2) || quoted(1)))
        || (is(0, &["do"]) && head.get(1).is_some_and(|token| token.text.starts_with("$$")))
        || (is(0, &["exec", "execute"])
            && head.iter().any(|token| token.text.to_ascii_lowercase().contains("xp_")))
        || (is(0, &["create"]) && is(1, &["extension"]) && head.len() > 2)
    {
        signals.add(Signal::SqlServerAccess);
    }
}

/// Whether some dialect takes the text as statements. Long or deeply nested ones are not tried.
pub(super) fn can_be_parsed(text: &str) -> bool {
    text.len() <= PARSED_BYTES
        && tokens(text, None).len() <= IN_PLACE_TOKENS
        && dialects().iter().any(|dialect| {
            let parser = Parser::new(*dialect).with_recursion_limit(IN_PLACE_DEPTH).try_with_sql(text);
            parser
                .and_then(|mut parser| parser.parse_statements())
                .is_ok_and(|statements| !statements.is_empty())
        })
}

/// What statements of a dialect that is not known here do, by the words that they begin with.
pub(super) fn unknown_dialect(text: &str, signals: &mut Signals) {
    let begins = |word: &Token<'_>| {
        word.is_any(&["drop", "truncate", "alter", "grant", "revoke", "delete", "create", "update"])
    };
    let all = tokens(text, None);
    let code: Vec<&Token<'_>> = all.iter().filter(|token| token.kind != Kind::Comment).collect();
    if !code.iter().any(|token| begins(token)) || can_be_parsed(text) {
        return;
    }
    for statement in code.split(|token| token.mark(";")) {
        // `EXPLAIN`, `WITH … AS (…)` and hints may stand before the verb.
        let Some(verb) = statement.iter().take(3).position(|token| begins(token)) else { continue };
        let [verb, rest @ ..] = &statement[verb..] else { continue };
        let has = |words: &[&str]| rest.iter().any(|token| token.is_any(words));
        let next = |words: &[&str]| rest.iter().take(3).any(|token| token.is_any(words));
        const OBJECTS: &[&str] = &[
            "view",
            "index",
            "user",
            "role",
            "function",
            "procedure",
            "trigger",
            "sequence",
            "type",
            "policy",
            "login",
            "column",
            "tablespace",
            "extension",
            "server",
            "system",
            "materialized",
            "domain",
            "stage",
        ];
        let signal = if verb.is("drop") && next(&["table"]) {
            Signal::SqlDropTable
        } else if verb.is("drop") && next(&["database", "schema"]) {
            Signal::SqlDropDatabase
        } else if verb.is("drop") && next(OBJECTS) {
            Signal::SqlDropOther
        } else if verb.is("truncate") && next(&["table"]) {
            Signal::SqlTruncate
        } else if verb.is("alter") && next(&["table"]) {
            Signal::SqlAlterTable
        } else if verb.is("alter") && (next(OBJECTS) || next(&["database", "schema"])) {
            Signal::SqlAlterOther
        } else if verb.is("grant") && has(&["to"]) && has(&["on", "role", "admin", "all"]) {
            Signal::SqlGrant
        } else if verb.is("revoke") && has(&["from"]) && has(&["on", "role", "admin", "all"]) {
            Signal::SqlRevoke
        } else if verb.is("create") && next(&["user", "role", "login"]) {
            Signal::SqlCreateUser
        } else if verb.is("delete") && next(&["from"]) && !has(&["where", "limit", "using"]) {
            Signal::SqlDeleteAll
        } else if verb.is("update") && has(&["set"]) && !has(&["where", "limit", "from"]) {
            Signal::SqlUpdateAll
        } else {
            continue;
        };
        signals.add(signal);
    }
}

fn dialects() -> [&'static dyn Dialect; 4] {
    [&GenericDialect {}, &MySqlDialect {}, &PostgreSqlDialect {}, &MsSqlDialect {}]
}

/// It is nested too deeply to be parsed here.
struct TooDeep;

fn parse(text: &str, depth: usize, signals: &mut Signals) -> Result<(), TooDeep> {
    for dialect in dialects() {
        let parser = Parser::new(dialect).with_recursion_limit(depth).try_with_sql(text);
        match parser.and_then(|mut parser| parser.parse_statements()) {
            Ok(statements) => {
                statements_judged(text, &statements, signals);
                return Ok(());
            }
            Err(ParserError::RecursionLimitExceeded) => return Err(TooDeep),
            Err(_) => {}
        }
    }
    Ok(())
}

fn statements_judged(text: &str, statements: &[Statement], signals: &mut Signals) {
    for (at, statement) in statements.iter().enumerate() {
        let mut judge = Judge { signals, changes: false, text };
        let _ = statement.visit(&mut judge);
        let behind_query = at > 0 && matches!(statements[0], Statement::Query(_));
        if judge.changes && behind_query {
            signals.add(Signal::SqlStacked);
        }
    }
}

struct Judge<'a> {
    signals: &'a mut Signals,
    changes: bool,
    text: &'a str,
}

impl Visitor for Judge<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        self.statement(statement);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { name, .. }) = expr {
            let is = |names: &[&str]| {
                name.0
                    .iter()
                    .filter_map(|part| part.as_ident())
                    .any(|part| names.iter().any(|known| part.value.eq_ignore_ascii_case(known)))
            };
            if is(SERVER) {
                self.signals.add(Signal::SqlServerAccess);
            } else if is(DELAYS) {
                self.signals.add(Signal::SqlDelay);
            }
        }
        ControlFlow::Continue(())
    }
}

impl Judge<'_> {
    fn statement(&mut self, statement: &Statement) {
        let signal = match statement {
            Statement::Drop { object_type, names, .. } => self.drop(*object_type, names),
            Statement::DropFunction(_)
            | Statement::DropProcedure { .. }
            | Statement::DropTrigger(_)
            | Statement::DropPolicy(_) => Some(Signal::SqlDropOther),
            Statement::Truncate(truncate) => {
                let first = truncate.table_names.first().map(|target| &target.name);
                let short = !truncate.table && !self.text.contains(';');
                (!first.is_some_and(|name| self.is_prose(name, short))).then_some(Signal::SqlTruncate)
            }
            Statement::AlterTable(_) => Some(Signal::SqlAlterTable),
            Statement::AlterRole { .. } | Statement::AlterUser(_) | Statement::AlterSchema(_) => {
                Some(Signal::SqlAlterOther)
            }
            Statement::Grant(grant) => grant.objects.is_some().then_some(Signal::SqlGrant),
            Statement::Revoke(revoke) => revoke.objects.is_some().then_some(Signal::SqlRevoke),
            Statement::Delete(delete) => deletes_all(delete).then_some(Signal::SqlDeleteAll),
            Statement::Update(update) => updates_all(update).then_some(Signal::SqlUpdateAll),
            Statement::Copy { target: CopyTarget::Program { .. }, .. } => Some(Signal::SqlServerAccess),
            _ => None,
        };
        if let Some(signal) = signal {
            self.signals.add(signal);
        }
        self.changes |= signal.is_some()
            || matches!(statement, Statement::Insert(_) | Statement::Delete(_) | Statement::Update(_));
    }

    fn drop(&self, object_type: ObjectType, names: &[ObjectName]) -> Option<Signal> {
        if names.len() == 1 && self.is_prose(&names[0], false) {
            return None;
        }
        Some(match object_type {
            ObjectType::Table => Signal::SqlDropTable,
            ObjectType::Database | ObjectType::Schema => Signal::SqlDropDatabase,
            _ => Signal::SqlDropOther,
        })
    }

    /// "Drop table support" is language, `DROP TABLE support;` is not.
    fn is_prose(&self, name: &ObjectName, short: bool) -> bool {
        let [part] = name.0.as_slice() else { return false };
        let Some(word) = part.as_ident() else { return false };
        let listed = is_prose_name(word.value.as_bytes())
            || short
                && ["text", "output", "string", "strings", "lines", "title", "titles", "names", "here"]
                    .contains(&word.value.as_str());
        word.quote_style.is_none() && listed && !self.text.contains(';')
    }
}

fn deletes_all(delete: &Delete) -> bool {
    // "Delete (Trashcan)" is a label.
    let FromTable::WithFromKeyword(tables) = &delete.from else { return false };
    // "delete from my calendar": a name and an alias, and nothing else, is language.
    let named = tables.first().is_some_and(|table| match &table.relation {
        sqlparser::ast::TableFactor::Table { name, alias, .. } => {
            let prose = name.0.len() == 1 && is_prose_name(name.to_string().as_bytes());
            !prose && (alias.is_none() || delete.selection.is_some())
        }
        _ => true,
    });
    named && delete.limit.is_none() && delete.using.is_none() && holds_always(delete.selection.as_ref())
}

fn updates_all(update: &Update) -> bool {
    update.from.is_none() && holds_always(update.selection.as_ref())
}

/// Whether a condition spares no row.
fn holds_always(condition: Option<&Expr>) -> bool {
    condition.is_none_or(|condition| is_true(condition, 0))
}

/// Deepest conditions that are looked into.
const CONDITION_DEPTH: u8 = 32;

fn is_true(expr: &Expr, depth: u8) -> bool {
    use sqlparser::ast::BinaryOperator::{And, Eq, GtEq, LtEq, Or};
    if depth == CONDITION_DEPTH {
        return false;
    }
    match expr {
        Expr::Nested(inner) => is_true(inner, depth + 1),
        Expr::Value(value) => match &value.value {
            Value::Boolean(holds) => *holds,
            Value::Number(number, _) => number.parse::<f64>().is_ok_and(|number| number != 0.0),
            _ => false,
        },
        Expr::BinaryOp { left, op: Or, right } => is_true(left, depth + 1) || is_true(right, depth + 1),
        Expr::BinaryOp { left, op: And, right } => is_true(left, depth + 1) && is_true(right, depth + 1),
        Expr::BinaryOp { left, op: Eq | GtEq | LtEq, right } => left == right,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, signal: Signal) -> bool {
        let mut signals = Signals::default();
        judge(text, &mut signals);
        signals.has(signal)
    }

    #[test]
    fn destruction_does_not_hide() {
        assert!(has("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", Signal::SqlDeleteAll));
        assert!(has("EXPLAIN ANALYZE DELETE FROM t", Signal::SqlDeleteAll));
        assert!(has("DELETE FROM t WHERE a = 1 OR 1 = 1", Signal::SqlDeleteAll));
        assert!(has("UPDATE t SET a = 1 WHERE (true)", Signal::SqlUpdateAll));
        assert!(has("SELECT 1; DROP VIEW v", Signal::SqlStacked));
        assert!(has("select pg_read_file('/etc/passwd')", Signal::SqlServerAccess));
        assert!(has("SELECT a FROM t WHERE b = (SELECT pg_sleep(5))", Signal::SqlDelay));
    }

    #[test]
    fn ordinary_statements_pass() {
        for text in [
            "DELETE FROM t WHERE id = 3",
            "UPDATE t SET a = 1 WHERE id = 3 AND 1 = 1",
            "delete from my calendar",
            "SELECT 1; SELECT 2",
            "WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT 2",
            "select a plan from the list",
            "Drop table support",
        ] {
            let mut signals = Signals::default();
            judge(text, &mut signals);
            assert!(signals.is_empty(), "{text}");
        }
    }

    #[test]
    fn deep_statements_end() {
        for piece in ["(", "1+", "NOT ", "1 UNION SELECT ", "a OR ", "CASE WHEN "] {
            let each = tokens(piece, None).len();
            for count in [IN_PLACE_TOKENS, PARSED_TOKENS, PARSED_TOKENS + 100] {
                let text = format!("SELECT {}1", piece.repeat((count - 3) / each));
                judge(&text, &mut Signals::default());
            }
        }
    }
}
