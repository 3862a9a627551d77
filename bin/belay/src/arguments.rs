//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The server of Belay, remote support that people can host themselves.
#[derive(Debug, Parser)]
#[command(name = "belay", version, about, max_term_width = 100)]
pub struct Arguments {
    /// Print JSON, one object on a line, wherever something is printed
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    #[command(after_help = "Every key of the configuration can be set by an environment variable: \
        BELAY_LISTEN for listen, BELAY_TLS__KEY for key in the section [tls].")]
    Serve {
        /// The configuration (TOML); without it only defaults and the environment hold
        #[arg(long, value_name = "FILE", env = "BELAY_CONFIG")]
        config: Option<PathBuf>,
        /// Check configuration, store, certificate and port, and exit
        #[arg(long)]
        check: bool,
        /// Which parts of the server this process runs; may be given several times [default: all]
        #[arg(long = "role", value_enum, value_name = "ROLE")]
        roles: Vec<ServeRole>,
    },
    /// Examine an installation from here: what works, what does not, and what to do about it
    #[command(
        after_help = "Exit code 0: no problem was found; 1: at least one. Changes nothing; the server may be running. \
        Run it also on a computer outside your network, with a copy of the configuration: firewalls look different from there."
    )]
    Doctor {
        /// The configuration of the server
        #[arg(long, value_name = "FILE", env = "BELAY_CONFIG")]
        config: Option<PathBuf>,
    },
    /// Keys by which processes of different roles know each other
    Role {
        /// What to do with them.
        #[command(subcommand)]
        command: RoleCommand,
    },
    /// Accounts of companies
    Account {
        /// What to do with them.
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Print the OpenAPI document of this version
    #[command(hide = true)]
    Openapi,
}

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Make an account with its master account holder
    Create(CreateAccount),
}

/// A new account.
#[derive(Debug, Args)]
pub struct CreateAccount {
    /// The configuration of the server the account is for
    #[arg(long, value_name = "FILE", env = "BELAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// The company's name, as end users will see it
    #[arg(long)]
    pub name: String,
    /// The region whose gateways the account's sessions go through, and no others; for good [default: the website's]
    #[arg(long)]
    pub region: Option<String>,
    /// What the master account holder types to sign in, for instance a mail address
    #[arg(long, value_name = "ID")]
    pub owner: String,
    /// The master account holder's name, as end users will see it [default: the ID]
    #[arg(long, value_name = "NAME")]
    pub owner_name: Option<String>,
    /// Read the password from standard input (one line) instead of asking for it
    #[arg(long)]
    pub password_stdin: bool,
}

/// A part of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServeRole {
    /// Pages, API and store
    Website,
    /// What applets and consoles connect to
    Gateway,
    /// What has to be done from time to time: time-outs
    Worker,
}

/// What to do with keys of roles.
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// Print the public key of this computer's gateway, making it when there is none
    Key(RoleConfig),
    /// Make the key that shall take the place of the gateway's, and print its public half; the gateway changes over once the website trusts it
    Renew(RoleConfig),
    /// Believe the requests that are signed with a key (at the website)
    Trust(RoleKeyArguments),
    /// Believe a key no longer (at the website)
    Revoke(RoleKeyArguments),
    /// List the keys that are or were believed (at the website)
    List(RoleConfig),
}

/// Which server.
#[derive(Debug, Args)]
pub struct RoleConfig {
    /// The configuration of the server
    #[arg(long, value_name = "FILE", env = "BELAY_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Which key.
#[derive(Debug, Args)]
pub struct RoleKeyArguments {
    /// The public key: 64 hexadecimal digits, as the gateway prints it
    pub key: String,
    /// What it may speak for
    #[arg(long, value_enum, default_value = "gateway")]
    pub role: TrustedRole,
    /// Which server.
    #[command(flatten)]
    pub config: RoleConfig,
}

/// What a key may speak for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrustedRole {
    /// A gateway
    Gateway,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}
