//! What becomes of replies that are lost, broken or none of AWS's.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::iam::ErrorKind;
use crate::process::Environment;

/// Answers each connection with the next reply, the last one for ever; an empty one just hangs up.
fn server(replies: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            let mut request = [0; 8192];
            let _ = connection.read(&mut request);
            let call = count.fetch_add(1, Ordering::SeqCst);
            let reply = replies[call.min(replies.len() - 1)];
            let _ = connection.write_all(reply.as_bytes());
        }
    });
    (url, calls)
}

async fn client(url: String) -> Client {
    let connections = Connections::new(&Environment::default());
    let mut settings = Settings::load(&connections, Some("no such profile"))
        .await
        .expect("no bundle");
    settings.sdk = settings.sdk.to_builder().endpoint_url(url).build();
    let key = AccessKey {
        id: AccessKeyId::parse("TESTTESTTESTTEST").expect("an ID"),
        secret: SecretAccessKey::new("secret"),
    };
    Client::new(&settings, &key)
}

fn alice() -> UserName {
    UserName("alice".to_owned())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime").block_on(future)
}

#[test]
fn a_lost_reply_is_unknown_and_not_repeated() {
    run(async {
        let (url, calls) = server(&[""]);
        let error = client(url)
            .await
            .create_access_key(&alice())
            .await
            .expect_err("no reply");
        assert!(!error.had_no_effect(), "{error:?}");
        assert_eq!(calls.load(Ordering::SeqCst), 1);

        let (url, calls) = server(&["HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"]);
        let client = client(url).await;
        let id = AccessKeyId::parse("TESTTESTTESTTEST").expect("an ID");
        let error = client
            .delete_access_key(&alice(), &id)
            .await
            .expect_err("HTTP 500");
        assert_eq!(
            (error.kind, calls.load(Ordering::SeqCst)),
            (ErrorKind::ServiceFailure, 1)
        );
    });
}

#[test]
fn a_read_is_repeated() {
    run(async {
        let (url, calls) = server(&[
            "HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
            <ListAccessKeysResponse><ListAccessKeysResult><IsTruncated>true</IsTruncated><Marker>m</Marker>\
            <AccessKeyMetadata><member><UserName>alice</UserName><AccessKeyId>AAAAAAAAAAAAAAAA</AccessKeyId>\
            <Status>Active</Status><CreateDate>2026-01-02T03:04:05Z</CreateDate></member></AccessKeyMetadata>\
            </ListAccessKeysResult></ListAccessKeysResponse>",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
            <ListAccessKeysResponse><ListAccessKeysResult><IsTruncated>false</IsTruncated>\
            <AccessKeyMetadata><member><UserName>alice</UserName><AccessKeyId>BBBBBBBBBBBBBBBB</AccessKeyId>\
            <Status>Expired</Status><CreateDate>2026-01-02T03:04:05Z</CreateDate></member></AccessKeyMetadata>\
            </ListAccessKeysResult></ListAccessKeysResponse>",
        ]);
        let keys = client(url)
            .await
            .list_access_keys(Some(&alice()))
            .await
            .expect("two pages");
        assert_eq!(calls.load(Ordering::SeqCst), 3);
        let status: Vec<_> = keys
            .iter()
            .map(|key| (key.access_key_id.as_str(), key.status))
            .collect();
        assert_eq!(
            status,
            [
                ("AAAAAAAAAAAAAAAA", AccessKeyStatus::Active),
                ("BBBBBBBBBBBBBBBB", AccessKeyStatus::Inactive)
            ]
        );
        assert_eq!(
            keys[0].create_date,
            "2026-01-02T03:04:05Z".parse().expect("a time")
        );
    });
}

#[test]
fn what_is_not_from_aws_is_unreadable() {
    run(async {
        for reply in [
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>Please sign in</html>",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<ListAccessKeysResponse><ListAccessKeysRes",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 302 Found\r\nlocation: /login\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n<html>blocked by policy</html>",
        ] {
            let (url, _calls) = server(Box::leak(Box::new([reply])));
            let error = client(url).await.list_access_keys(None).await.expect_err(reply);
            assert_eq!(error.kind, ErrorKind::Unreadable, "{reply}: {error:?}");
        }
    });
}

#[test]
fn nobody_listens_is_unreachable() {
    run(async {
        let error = client("http://127.0.0.1:1".to_owned())
            .await
            .get_caller_identity()
            .await
            .expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.message.to_lowercase().contains("refused"), "{error}");
    });
}
