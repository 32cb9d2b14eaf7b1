//! The AWS account's contents, put at the control URL.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value as Json, json};

use super::*;

fn send(standin: &Standin, method: &str, path: &str, body: &Json) -> (u16, String) {
    let host = standin.control_url().trim_start_matches("http://").to_owned();
    let body = body.to_string();
    let mut line = TcpStream::connect(&host).expect("connects");
    // Without a content type, and with curl's: neither matters.
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n"
    );
    write!(line, "{head}content-length: {}\r\n\r\n{body}", body.len()).expect("is sent");
    let mut text = String::new();
    line.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status"), body.to_owned())
}

#[test]
fn files() {
    let standin = start();
    for sql in [
        "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'raw' IAM_ROLE DEFAULT",
        "CREATE EXTERNAL TABLE lake.people (id int, name varchar(20)) STORED AS PARQUET LOCATION 's3://bucket/people/'",
    ] {
        standin.sql_blocking("dev", sql).expect(sql);
    }
    let count = || standin.sql_blocking("dev", "SELECT count(*) FROM lake.people").expect("reads")[0][0].clone();
    let body = json!({ "s3://bucket/people/a": [{ "id": 1, "name": "Ada" }], "s3://bucket/people/b": [{ "id": 2 }] });
    assert_eq!(send(&standin, "PUT", "/files", &body).0, 200);
    assert_eq!(count().as_deref(), Some("2"));
    let body = json!({ "s3://bucket/people/a": [], "people": [] });
    let (status, text) = send(&standin, "PUT", "/files", &body);
    assert!(status == 400 && text.contains("s3://bucket/folder/"), "{text}");
    assert_eq!(count().as_deref(), Some("2"), "nothing changed");
}

#[test]
fn policies() {
    let standin = start();
    let keys = Keys::of(&standin);
    let role = "arn:aws:iam::111122223333:role/made/ByPut";
    let document = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "redshift:DescribeClusters", "Resource": "arn:aws:redshift:*:*:cluster:examplecluster" },
    ]});
    let trust = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:root" }, "Action": "sts:AssumeRole" },
    ]});
    // As text, as the provider's data source has them.
    let body = json!({ role: { "policies": [document.to_string()], "trust": trust.to_string() } });
    assert_eq!(send(&standin, "PUT", "/policies", &body).0, 200);
    let session = assume(&standin, &keys, role, None);
    query(&standin, &session, "redshift:DescribeClusters", &[("ClusterIdentifier", "examplecluster")]).ok();

    // A bad document changes nothing, and says why.
    for (bad, why) in [
        (json!({ "Statement": [{ "Effect": "Allow", "NotAction": "*", "Resource": "*" }] }), "\"NotAction\""),
        (json!({ "Version": "2020-01-01", "Statement": [] }), "Version"),
        (json!("not JSON"), "no JSON"),
    ] {
        let other = "arn:aws:iam::111122223333:role/AlsoNamed";
        let body = json!({ other: { "policies": [document] }, role: { "policies": [bad] } });
        let (status, text) = send(&standin, "PUT", "/policies", &body);
        assert!(status == 400 && text.contains(why) && text.contains(role), "{text}");
        query(&standin, &session, "redshift:DescribeClusters", &[("ClusterIdentifier", "examplecluster")]).ok();
    }
    let (status, text) = send(&standin, "PUT", "/policies", &json!({ "arn:aws:iam::111122223333:user/nobody": {} }));
    assert!(status == 400 && text.contains("no such user"), "{text}");
    for body in [json!([]), json!({ role: { "permissions": [] } }), json!({ role: { "trust": document } })] {
        assert_eq!(send(&standin, "PUT", "/policies", &body).0, 400, "{body}");
    }
    // The trust of a principal that the same body makes.
    let second = "arn:aws:iam::111122223333:role/Second";
    let named =
        json!({ "Statement": { "Effect": "Allow", "Principal": { "AWS": second }, "Action": "sts:AssumeRole" } });
    assert_eq!(send(&standin, "PUT", "/policies", &json!({ role: { "trust": named }, second: {} })).0, 200);
}

#[test]
fn contents() {
    let standin = start();
    let keys = Keys::of(&standin);
    let body = json!({ "text/one": "a-canary", "binary/one": { "binary": "AJ//" } });
    let (status, arns) = send(&standin, "PUT", "/secrets", &body);
    assert_eq!(status, 200);
    let arns: Json = serde_json::from_str(&arns).expect("JSON");
    let asked = json!({ "SecretId": arns["binary/one"] });
    assert_eq!(json(&standin, &keys, "secretsmanager:GetSecretValue", &asked).ok().json()["SecretBinary"], "AJ//");
    assert_eq!(send(&standin, "PUT", "/secrets", &json!({ "x": { "binary": "*" } })).0, 400);

    let body = json!({ "/a": { "value": "secret-a", "secure": true }, "b": { "value": "plain-b" } });
    assert_eq!(send(&standin, "PUT", "/parameters", &body).0, 200);
    let asked = json!({ "Name": "/a", "WithDecryption": true });
    assert_eq!(json(&standin, &keys, "ssm:GetParameter", &asked).ok().json()["Parameter"]["Value"], "secret-a");
    assert_eq!(
        json(&standin, &keys, "ssm:GetParameter", &json!({ "Name": "b" })).ok().json()["Parameter"]["Type"],
        "String"
    );

    let body = json!({ "clusters": [{ "id": "put", "status": "paused" }], "workgroups": [{ "name": "put-wg" }] });
    assert_eq!(send(&standin, "PUT", "/clusters", &body).0, 200);
    let described = query(&standin, &keys, "redshift:DescribeClusters", &[("ClusterIdentifier", "put")]).ok();
    assert_eq!(described.xml("ClusterStatus"), "paused");
    json(&standin, &keys, "redshift-serverless:GetWorkgroup", &json!({ "workgroupName": "put-wg" })).ok();
    assert_eq!(send(&standin, "PUT", "/clusters", &json!({ "clusters": [{ "id": "x", "size": 2 }] })).0, 400);

    let fault = json!({ "on": "aws", "contains": "ssm:GetParameter", "action": { "error": { "sqlstate": "ThrottlingException", "message": "Rate exceeded" } } });
    let body = fault.to_string();
    let host = standin.control_url().trim_start_matches("http://").to_owned();
    let mut line = TcpStream::connect(&host).expect("connects");
    write!(line, "POST /faults HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("is sent");
    line.read_to_string(&mut String::new()).expect("an answer");
    assert_eq!(json(&standin, &keys, "ssm:GetParameter", &json!({ "Name": "b" })).error().1, "ThrottlingException");
    let counters: Json = serde_json::from_str(&send(&standin, "GET", "/counters", &json!({})).1).expect("JSON");
    assert_eq!(counters["aws_calls"]["ssm:GetParameter"], 3);
    assert_eq!(send(&standin, "POST", "/counters/reset", &json!({})).0, 200);
    assert!(standin.aws().calls().is_empty());
}

#[test]
fn statements() {
    let standin = start();
    standin.reset_counters();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect((standin.host(), standin.port())).await.expect("connects");
        let mut client =
            redshift_standin::Client::connect(stream, redshift_standin::SUPERUSER, "dev", standin.password())
                .await
                .expect("signs in");
        client.query("SELECT 'that is logged'").await.expect("rows");
    });
    let (status, text) = send(&standin, "GET", "/statements", &json!(null));
    let log: Json = serde_json::from_str(&text).expect("JSON");
    assert_eq!((status, &log[0]["sql"], &log[0]["database"]), (200, &json!("SELECT 'that is logged'"), &json!("dev")));
    assert_eq!(log[0]["user"], redshift_standin::SUPERUSER);
    assert_eq!(send(&standin, "POST", "/counters/reset", &json!(null)).0, 200);
    assert_eq!(send(&standin, "GET", "/statements", &json!(null)).1, "[]");
}
