//! Messages on a stream: four bytes of length, then the bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Writes one message.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let len = u32::try_from(bytes.len()).map_err(|_| invalid("a message is too long".to_owned()))?;
    stream.write_all(&len.to_be_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Reads one message of at most `limit` bytes. Memory is taken as the bytes come, not as the length promises.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Vec<u8>> {
    let len = read_len(stream, limit).await?;
    read_rest(stream, len).await
}

/// Reads the length of a message.
pub(crate) async fn read_len(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<usize> {
    let len = stream.read_u32().await? as usize;
    if len > limit { Err(invalid(format!("a message has {len} bytes, {limit} are the most"))) } else { Ok(len) }
}

/// Reads the bytes that follow the length.
pub(crate) async fn read_rest(stream: &mut (impl AsyncRead + Unpin), len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(len as u64).read_to_end(&mut bytes).await?;
    if bytes.len() == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_bounded_and_whole() {
        let mut bytes = Vec::new();
        write(&mut bytes, b"hello").await.unwrap();
        assert_eq!(read(&mut bytes.as_slice(), 5).await.unwrap(), b"hello");
        assert_eq!(read(&mut bytes.as_slice(), 4).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let cut = bytes.get(..7).unwrap();
        assert_eq!(read(&mut &*cut, 5).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
