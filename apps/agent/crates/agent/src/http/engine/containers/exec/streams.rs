//! An exec's standard streams, between its pipes or terminal and the client.
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, pipe};

/// Tells on the stream why the program did not start.
pub async fn refuse(mut client: UnixStream, message: String, raw: bool) {
    let text = format!("{message}\r\n");
    let mut frame = Vec::new();
    if !raw {
        frame.extend([1, 0, 0, 0]);
        frame.extend((text.len() as u32).to_be_bytes());
    }
    frame.extend(text.as_bytes());
    if let Err(error) = client.write_all(&frame).await {
        tracing::debug!(%error, "the client of an exec left");
    }
}

pub fn output_pipe() -> std::io::Result<(pipe::Receiver, OwnedFd)> {
    let (sender, receiver) = pipe::pipe()?;
    Ok((receiver, sender.into_blocking_fd()?))
}

pub fn input_pipe(wanted: bool) -> std::io::Result<(OwnedFd, Option<pipe::Sender>)> {
    if !wanted {
        return Ok((std::fs::File::open("/dev/null")?.into(), None));
    }
    let (sender, receiver) = pipe::pipe()?;
    Ok((receiver.into_blocking_fd()?, Some(sender)))
}

pub fn set_size(terminal: &OwnedFd, rows: u16, columns: u16) {
    let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let _ = rustix::termios::tcsetwinsize(terminal, size); // the program may just have ended
}

/// Client to program.
pub async fn feed(mut client: OwnedReadHalf, input: Option<pipe::Sender>, terminal: Option<Arc<OwnedFd>>) {
    let outcome = match (input, terminal) {
        (Some(mut input), _) => tokio::io::copy(&mut client, &mut input).await.map(drop),
        (None, Some(terminal)) => type_in(&mut client, &terminal).await,
        (None, None) => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an exec's input ended");
    }
}

async fn type_in(client: &mut OwnedReadHalf, terminal: &OwnedFd) -> std::io::Result<()> {
    let terminal = async_terminal(terminal)?;
    let mut buffer = vec![0; 4_096];
    loop {
        let count = client.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let mut ready = terminal.writable().await?;
            if let Ok(written) = ready.try_io(|fd| rustix::io::write(fd.get_ref(), rest).map_err(Into::into)) {
                rest = &rest[written?..];
            }
        }
    }
}

fn async_terminal(terminal: &OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(terminal.as_fd(), true)?;
    slipway_sys::event::async_fd(terminal.try_clone()?)
}

/// A terminal's output; reads on when the client has left, so that the program is not stopped by it.
pub async fn raw(terminal: &OwnedFd, client: &mut OwnedWriteHalf) -> std::io::Result<()> {
    let terminal = async_terminal(terminal)?;
    let mut buffer = vec![0; 16 * 1024];
    let mut gone = false;
    loop {
        let mut ready = terminal.readable().await?;
        match ready.try_io(|fd| rustix::io::read(fd.get_ref(), &mut buffer[..]).map_err(Into::into)) {
            // EIO: the last process closed its end.
            Ok(Ok(0) | Err(_)) => return Ok(()),
            Ok(Ok(count)) if !gone => gone = client.write_all(&buffer[..count]).await.is_err(),
            _ => {}
        }
    }
}

/// Both outputs with Docker's frames; reads on when the client has left, so that the program is not stopped by it.
pub async fn frames(mut out: pipe::Receiver, mut err: pipe::Receiver, client: &mut OwnedWriteHalf) -> std::io::Result<()> {
    let (mut first, mut second) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let (mut out_open, mut err_open, mut gone) = (true, true, false);
    while out_open || err_open {
        let (stream, data) = tokio::select! {
            count = out.read(&mut first), if out_open => {
                let count = count?;
                out_open = count > 0;
                (1, &first[..count])
            }
            count = err.read(&mut second), if err_open => {
                let count = count?;
                err_open = count > 0;
                (2, &second[..count])
            }
        };
        if data.is_empty() || gone {
            continue;
        }
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend((data.len() as u32).to_be_bytes());
        frame.extend(data);
        gone = client.write_all(&frame).await.is_err();
    }
    Ok(())
}
