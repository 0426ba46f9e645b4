//! `callgate approvals`: what waits for a person, and the person's word.

use super::page::{self, PageServeOptions};
use super::tell;
use crate::fault::{EXIT_FAILURE, EXIT_OK, Fault};
use crate::log::escape::escape;
use crate::settings::{self, Settings};
use crate::store::configured::for_tickets;
use crate::store::{Review, Store, StoreError, Ticket, TicketFilter, limits};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How often `watch` looks.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// Shortest beginning of an id that names a ticket.
const SHORTEST_ID: usize = 4;

/// What is wanted of the tickets.
#[derive(Clone, Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// List the tickets that wait
    List {
        /// Those that were decided or ran out, too
        #[arg(long)]
        all: bool,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Show one ticket and what happened to it
    Show {
        /// The ticket's id, or its beginning
        id: String,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Let the call run, once
    Approve(DecideOptions),
    /// Refuse the call
    Deny(DecideOptions),
    /// Show tickets as they come, until interrupted
    Watch,
    /// Serve a page on this machine on which tickets are decided, until interrupted
    Serve(PageServeOptions),
}

/// A person's word.
#[derive(Clone, Debug, Args)]
pub struct DecideOptions {
    /// The ticket's id, or its beginning
    pub id: String,
    /// Why
    #[arg(long, default_value = "")]
    pub comment: String,
    /// Who decides
    #[arg(long = "as", value_name = "NAME")]
    pub reviewer: Option<String>,
}

/// Why a command stopped.
enum Stop {
    Store(StoreError),
    Output(io::Error),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs the command, with its output to `out`.
pub fn run(command: &ApprovalsCommand, out: &mut dyn Write) -> ExitCode {
    if let ApprovalsCommand::Serve(options) = command {
        return page::run(options, out);
    }
    let settings = match Settings::load_without_backends(&settings::environment(), &settings::read_file) {
        Ok(settings) => settings,
        Err(faults) => return tell(&faults),
    };
    match Desk::open(&settings).and_then(|desk| desk.run(command, out)) {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(Stop::Store(error)) => {
            tell(&[Fault::failure(error.to_string(), "see `callgate approvals list --all`")])
        }
        // Whoever read the output has closed it.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(EXIT_OK),
        Err(Stop::Output(_)) => ExitCode::from(EXIT_FAILURE),
    }
}

/// The store, for one tenant.
struct Desk {
    store: Arc<dyn Store>,
    tenant: String,
}

impl Desk {
    fn open(settings: &Settings) -> Result<Self, Stop> {
        let store = for_tickets(settings)?.get()?;
        Ok(Self { store, tenant: settings.identity.tenant_id.clone().unwrap_or_default() })
    }

    fn run(&self, command: &ApprovalsCommand, out: &mut dyn Write) -> Result<(), Stop> {
        match command {
            ApprovalsCommand::List { all, json } => self.list(*all, *json, out),
            ApprovalsCommand::Show { id, json } => self.show(id, *json, out),
            ApprovalsCommand::Approve(options) => self.decide("approved", options, out),
            ApprovalsCommand::Deny(options) => self.decide("rejected", options, out),
            ApprovalsCommand::Watch => self.watch(out),
            // It has no desk, but a page.
            ApprovalsCommand::Serve(_) => Ok(()),
        }
    }

    fn tickets(&self, all: bool) -> Result<(Vec<Ticket>, u64), StoreError> {
        let statuses = if all { Vec::new() } else { vec!["pending".to_owned()] };
        let filter =
            TicketFilter { statuses, limit: limits::PAGE, oldest_first: !all, ..TicketFilter::default() };
        self.store.tickets(&self.tenant, &filter)
    }

    fn list(&self, all: bool, as_json: bool, out: &mut dyn Write) -> Result<(), Stop> {
        let (tickets, total) = self.tickets(all)?;
        for ticket in &tickets {
            if as_json {
                writeln!(out, "{}", json(ticket))?;
            } else {
                line(ticket, out)?;
            }
        }
        if as_json {
            return Ok(());
        }
        match (tickets.len() as u64, all) {
            (0, false) => writeln!(out, "nothing waits for approval")?,
            (0, true) => writeln!(out, "there are no tickets")?,
            (shown, _) if shown < total => writeln!(out, "… and {} more", total - shown)?,
            _ => {}
        }
        Ok(())
    }

    /// The ticket with this id, or the only one whose id begins so.
    fn find(&self, id: &str) -> Result<Ticket, StoreError> {
        if let Some(ticket) = self.store.ticket(&self.tenant, id)? {
            return Ok(ticket);
        }
        let (tickets, _) = self.tickets(true)?;
        let mut found = tickets.into_iter().filter(|ticket| ticket.request_id.starts_with(id));
        let first = found.next().filter(|_| id.len() >= SHORTEST_ID);
        let first = first.ok_or_else(|| StoreError::Missing(format!("ticket {id:?}")))?;
        match found.next() {
            Some(_) => {
                Err(StoreError::Conflict(format!("several tickets begin with {id:?}; write more of the id")))
            }
            None => Ok(first),
        }
    }

    fn show(&self, id: &str, as_json: bool, out: &mut dyn Write) -> Result<(), Stop> {
        let ticket = self.find(id)?;
        let history = self.store.ticket_history(&self.tenant, &ticket.request_id)?;
        if as_json {
            writeln!(out, "{}", json(&ticket))?;
            return Ok(());
        }
        let shown = serde_json::to_string_pretty(&ticket.request_context).unwrap_or_default();
        writeln!(out, "ticket    {}", ticket.request_id)?;
        writeln!(out, "status    {}", state(&ticket))?;
        writeln!(out, "asks      {}", escape(&ticket.client_id))?;
        writeln!(out, "reason    {}", escape(&ticket.trigger_reason))?;
        writeln!(out, "opened    {}", ticket.created_at)?;
        writeln!(out, "good till {}", ticket.expires_at)?;
        for text in shown.lines() {
            writeln!(out, "  {}", escape(text))?;
        }
        for event in history {
            let by = if event.by.is_empty() { String::new() } else { format!(" by {}", escape(&event.by)) };
            writeln!(out, "{} {}{by} {}", event.at, event.event, escape(&event.comment))?;
        }
        Ok(())
    }

    fn decide(&self, status: &str, options: &DecideOptions, out: &mut dyn Write) -> Result<(), Stop> {
        let ticket = self.find(&options.id)?;
        let review = Review {
            status: status.to_owned(),
            reviewer_id: options.reviewer.clone().unwrap_or_else(user),
            reviewer_email: String::new(),
            comment: options.comment.clone(),
        };
        let decided = self.store.decide_ticket(&self.tenant, &ticket.request_id, &review)?;
        line(&decided, out)?;
        if status == "approved" {
            writeln!(
                out,
                "The call runs now if it still waits; otherwise when the same call is repeated before {}.",
                decided.expires_at
            )?;
        }
        Ok(())
    }

    fn watch(&self, out: &mut dyn Write) -> Result<(), Stop> {
        let mut seen = BTreeSet::new();
        loop {
            let (tickets, _) = self.tickets(false)?;
            for ticket in &tickets {
                if seen.insert(ticket.request_id.clone()) {
                    line(ticket, out)?;
                }
            }
            out.flush()?;
            let waiting: BTreeSet<String> = tickets.into_iter().map(|ticket| ticket.request_id).collect();
            for id in seen.difference(&waiting) {
                if let Some(ticket) = self.store.ticket(&self.tenant, id)? {
                    line(&ticket, out)?;
                }
            }
            out.flush()?;
            seen = waiting;
            std::thread::sleep(WATCH_EVERY);
        }
    }
}

/// One ticket in a line.
fn line(ticket: &Ticket, out: &mut dyn Write) -> io::Result<()> {
    let Ticket { request_id, severity, original_query, trigger_reason, .. } = ticket;
    writeln!(
        out,
        "{request_id}  {:<9} {severity:<8} {}  ({})",
        state(ticket),
        escape(original_query),
        escape(trigger_reason)
    )
}

fn state(ticket: &Ticket) -> &str {
    if ticket.consumed_at.is_some() { "used" } else { &ticket.status }
}

fn json(ticket: &Ticket) -> String {
    serde_json::to_string(ticket).unwrap_or_default()
}

/// The account that runs this, as the system's environment has it: a word, not a proof.
pub(super) fn user() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("somebody, at {}", Timestamp::now()))
}
