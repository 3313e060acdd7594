//! The commands of the API: what they take, what they give, who runs them.

use super::commands::{self, Run};
use crate::yson::Yson;

/// What goes in or comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataType {
    Null,
    Structured,
    Tabular,
}

/// A command.
#[derive(Clone, Copy)]
pub(super) struct Command {
    pub(super) name: &'static str,
    pub(super) input: DataType,
    pub(super) output: DataType,
    /// Whether it changes anything.
    pub(super) is_volatile: bool,
    pub(super) is_heavy: bool,
    pub(super) run: Run,
}

/// All commands, as `GET /api/v4` lists them.
pub(super) const COMMANDS: [Command; 25] = [
    mutation("abort_transaction", commands::transactions::abort),
    query("check_operation_permission", commands::permissions::of_operation),
    query("check_permission", commands::permissions::of_node),
    query("check_permission_by_acl", commands::permissions::by_acl),
    mutation("commit_transaction", commands::transactions::commit),
    mutation("create", commands::cypress::create),
    query("discover_proxies", commands::proxies::discover),
    mutation("execute_batch", commands::batch::execute),
    query("exists", commands::cypress::exists),
    query("get", commands::cypress::get),
    query("get_current_user", commands::permissions::current_user),
    query("get_operation", commands::operations::get),
    query("get_supported_features", commands::proxies::features),
    query("get_version", commands::proxies::version),
    query("list", commands::cypress::list),
    query("list_jobs", commands::operations::list_jobs),
    query("list_operations", commands::operations::list),
    mutation("lock", commands::cypress::lock),
    mutation("ping_transaction", commands::transactions::ping),
    Command {
        name: "read_table",
        input: DataType::Null,
        output: DataType::Tabular,
        is_volatile: false,
        is_heavy: true,
        run: commands::tables::read,
    },
    mutation("remove", commands::cypress::remove),
    Command { input: DataType::Structured, ..mutation("set", commands::cypress::set) },
    mutation("start_transaction", commands::transactions::start),
    mutation("unlock", commands::cypress::unlock),
    Command {
        name: WRITE_TABLE,
        input: DataType::Tabular,
        output: DataType::Structured,
        is_volatile: true,
        is_heavy: true,
        run: commands::tables::write,
    },
];

/// The one command that begins before its body is there.
pub(super) const WRITE_TABLE: &str = "write_table";

const fn query(name: &'static str, run: Run) -> Command {
    Command { name, input: DataType::Null, output: DataType::Structured, is_volatile: false, is_heavy: false, run }
}

const fn mutation(name: &'static str, run: Run) -> Command {
    Command { is_volatile: true, ..query(name, run) }
}

/// The command of that name.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

// === impl DataType ===

impl DataType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Structured => "structured",
            Self::Tabular => "tabular",
        }
    }
}

// === impl Command ===

impl Command {
    /// As the list of commands has it.
    pub(super) fn to_yson(self) -> Yson {
        Yson::map([
            ("name", Yson::from(self.name)),
            ("input_type", self.input.name().into()),
            ("output_type", self.output.name().into()),
            ("is_volatile", self.is_volatile.into()),
            ("is_heavy", self.is_heavy.into()),
        ])
    }
}
