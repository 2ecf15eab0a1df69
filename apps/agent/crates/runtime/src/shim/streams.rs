//! The container's standard streams: from its pipes (or terminal) to the log and the attached clients, and back.
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::termios::Winsize;

use super::attach::Client;
use super::log::{Log, Stream};
use crate::say::say;
use crate::spec::Stdin;

#[derive(Clone, Copy)]
pub(super) enum Source {
    Output(Stream),
    Terminal,
    Input,
    Client(usize),
}

/// Bytes of input waiting for the program above which clients are not read.
const INPUT_LIMIT: usize = 256 * 1024;
/// One read; also how much one busy stream may hold up the others.
const CHUNK: usize = 64 * 1024;
/// Reads of what is left at the end; together more than the largest pipe.
const LAST_READS: usize = 64;

pub(super) struct Streams {
    pub log: Option<Log>,
    outputs: [Option<OwnedFd>; 2],
    terminal: Option<OwnedFd>,
    /// No process has the terminal open; reading would only fail again and again.
    hung_up: bool,
    size: Option<Winsize>,
    tty: bool,
    stdin: Option<OwnedFd>,
    mode: Stdin,
    input: VecDeque<u8>,
    input_ended: bool,
    clients: Vec<Client>,
    buffer: Vec<u8>,
}

impl Streams {
    pub fn new(log: Option<Log>, tty: bool, mode: Stdin, stdin: Option<OwnedFd>, outputs: [Option<OwnedFd>; 2]) -> Self {
        Self {
            log,
            outputs,
            terminal: None,
            hung_up: false,
            size: None,
            tty,
            stdin,
            mode,
            input: VecDeque::new(),
            input_ended: false,
            clients: Vec::new(),
            buffer: vec![0; CHUNK],
        }
    }

    /// `paces`: the container waits for this client. `catch_up`: begin with what is of no whole line yet, and so in no log.
    pub fn attach(&mut self, socket: OwnedFd, paces: bool, catch_up: bool) {
        let mut client = match Client::new(socket, self.tty, paces) {
            Ok(client) => client,
            Err(error) => return say!("slipway shim: attach: {error}"),
        };
        for stream in [Stream::Stdout, Stream::Stderr].into_iter().filter(|_| catch_up) {
            match self.log.as_ref().map_or(&[][..], |log| log.unfinished(stream)) {
                [] => {}
                begun => client.push(stream, begun),
            }
        }
        self.clients.push(client);
    }

    /// Inode number and length of the log file; zeros without one.
    pub fn log_position(&self) -> (u64, u64) {
        self.log.as_ref().map_or((0, 0), Log::position)
    }

    pub fn set_terminal(&mut self, master: OwnedFd) {
        if let Some(size) = self.size {
            let _ = rustix::termios::tcsetwinsize(&master, size); // a fresh terminal takes any size
        }
        let _ = rustix::io::ioctl_fionbio(&master, true); // reads are polled for anyway
        self.terminal = Some(master);
    }

    pub fn resize(&mut self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        self.size = Some(size);
        if let Some(master) = &self.terminal {
            let _ = rustix::termios::tcsetwinsize(master, size); // the program may just have closed it
        }
    }

    fn accepts_input(&self) -> bool {
        !self.input_ended && (self.stdin.is_some() || (self.tty && self.mode != Stdin::Null)) && self.input.len() < INPUT_LIMIT
    }

    pub fn interests<'a>(&'a self, add: &mut dyn FnMut(Source, BorrowedFd<'a>, PollFlags)) {
        let full = self.clients.iter().any(Client::is_full);
        for (fd, stream) in self.outputs.iter().zip([Stream::Stdout, Stream::Stderr]) {
            if let (Some(fd), false) = (fd, full) {
                add(Source::Output(stream), fd.as_fd(), PollFlags::IN);
            }
        }
        if let Some(master) = &self.terminal {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, !full);
            flags.set(PollFlags::OUT, !self.input.is_empty());
            if !self.hung_up && !flags.is_empty() {
                add(Source::Terminal, master.as_fd(), flags);
            }
        }
        if let (Some(stdin), false) = (&self.stdin, self.input.is_empty()) {
            add(Source::Input, stdin.as_fd(), PollFlags::OUT);
        }
        for (index, client) in self.clients.iter().enumerate() {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, !client.input_ended && self.accepts_input());
            flags.set(PollFlags::OUT, client.wants_write());
            add(Source::Client(index), client.socket.as_fd(), flags);
        }
    }

    pub fn handle(&mut self, source: Source, flags: PollFlags) {
        match source {
            Source::Output(stream) => drop(self.read_output(stream)),
            Source::Terminal => {
                if flags.contains(PollFlags::OUT) {
                    self.write_input();
                }
                if flags.intersects(PollFlags::IN | PollFlags::HUP) {
                    self.read_terminal();
                }
            }
            Source::Input => self.write_input(),
            Source::Client(index) => self.serve_client(index, flags),
        }
    }

    fn serve_client(&mut self, index: usize, flags: PollFlags) {
        let accepts = self.accepts_input();
        let Some(client) = self.clients.get_mut(index) else { return };
        if flags.contains(PollFlags::OUT) {
            client.flush();
        }
        if flags.contains(PollFlags::IN) && accepts {
            match rustix::io::read(&client.socket, &mut self.buffer[..]) {
                Ok(0) => client.input_ended = true,
                Ok(count) => self.input.extend(&self.buffer[..count]),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => client.gone = true,
            }
            if client.input_ended && self.mode == Stdin::Once && !self.tty {
                self.input_ended = true;
            }
            self.write_input();
        } else if flags.intersects(PollFlags::HUP | PollFlags::ERR) {
            client.gone = true;
        }
    }

    /// False when there is nothing more to read now.
    fn read_output(&mut self, stream: Stream) -> bool {
        let slot = stream as usize - 1;
        let Some(fd) = &self.outputs[slot] else { return false };
        match rustix::io::read(fd, &mut self.buffer[..]) {
            Ok(0) => {
                self.outputs[slot] = None;
                if let Some(log) = &mut self.log {
                    log.end(stream);
                }
                false
            }
            Ok(count) => {
                self.take(stream, count);
                true
            }
            Err(Errno::INTR) => true,
            Err(_) => false,
        }
    }

    fn read_terminal(&mut self) -> bool {
        let Some(master) = &self.terminal else { return false };
        match rustix::io::read(master, &mut self.buffer[..]) {
            Ok(count) if count > 0 => {
                self.take(Stream::Stdout, count);
                true
            }
            Err(Errno::INTR) => true,
            Err(Errno::AGAIN) => false,
            // EIO: the last process closed its end.
            Ok(_) | Err(_) => {
                self.hung_up = true;
                false
            }
        }
    }

    fn take(&mut self, stream: Stream, count: usize) {
        let data = &self.buffer[..count];
        if let Some(log) = &mut self.log {
            log.write(stream, data);
        }
        for client in &mut self.clients {
            client.push(stream, data);
        }
    }

    fn write_input(&mut self) {
        let target = if self.tty { &self.terminal } else { &self.stdin };
        while let (Some(fd), false) = (target, self.input.is_empty()) {
            let (first, _) = self.input.as_slices();
            match rustix::io::write(fd, first) {
                Ok(count) => drop(self.input.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // The program closed its input; what is left has no reader.
                Err(_) => {
                    self.input.clear();
                    self.input_ended = true;
                }
            }
        }
        if self.input_ended && self.input.is_empty() {
            self.stdin = None;
        }
    }

    /// The container has ended: what is still in the pipes belongs to its output.
    pub fn drain(&mut self) {
        // What a pipe can hold, and no more: a process in the host's pid namespace may outlive the first one and write on.
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut reads = 0..LAST_READS;
            while reads.next().is_some() && self.read_output(stream) {}
            self.outputs[stream as usize - 1] = None;
        }
        let mut reads = 0..LAST_READS;
        while reads.next().is_some() && self.read_terminal() {}
        self.terminal = None;
        self.stdin = None;
        if let Some(log) = &mut self.log {
            log.end(Stream::Stdout);
            log.end(Stream::Stderr);
        }
    }

    pub fn sweep(&mut self) {
        self.clients.iter_mut().for_each(Client::check_patience);
        self.clients.retain(|client| !client.gone);
    }

    pub fn any_waiting(&self) -> bool {
        self.clients.iter().any(Client::wants_write)
    }
}
