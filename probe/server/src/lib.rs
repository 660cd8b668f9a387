//! The half of the probe that speaks: it starts with the process where the
//! runner asks for it, serves gRPC on a Unix socket from a thread of its own,
//! and sees to it that nothing is lost at exit.
//!
//! | module | what it does |
//! |---|---|
//! | [`start`] | before `main`: reads the environment, starts the thread, registers the exit handler |
//! | `address` | where sockets are |
//! | `serve` | the thread: announcement, connections, and the end of the run |
//! | `audit` | the service `concaudit.v1.Audit` |
//! | `assemble` | from what `concaudit-core` keeps to the messages of `Audit` |
//! | `console` | the service `rs.tokio.console.instrument.Instrument` |
//! | `modules` | what is mapped where |

mod address;
mod assemble;
mod audit;
mod console;
mod modules;
mod proto;
mod serve;
pub mod start;
