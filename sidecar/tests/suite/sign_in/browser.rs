//! A browser as far as cookies and redirects go: it keeps what a browser would keep, for the host that set it.

use std::collections::BTreeMap;

use url::Url;

/// A browser.
#[derive(Clone)]
pub(super) struct Browser {
    client: reqwest::Client,
    /// Where every host of the site is.
    at: String,
    /// By host and name: the value, and what was said about it.
    pub(super) cookies: BTreeMap<(String, String), (String, String)>,
    pub(super) keeps_cookies: bool,
}

/// What it was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The denial's code.
    pub(super) code: String,
    pub(super) location: Option<String>,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) text: String,
}

impl Browser {
    pub(super) fn new(at: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.build().expect("a client");
        Self { client, at: at.to_owned(), cookies: BTreeMap::new(), keeps_cookies: true }
    }

    pub(super) async fn get(&mut self, url: &str) -> Answer {
        self.send(reqwest::Method::GET, url, &[("accept", "text/html")], "").await
    }

    pub(super) async fn get_with(&mut self, url: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(reqwest::Method::GET, url, headers, "").await
    }

    /// Sends a form as a page of that origin.
    pub(super) async fn post(&mut self, url: &str, origin: Option<&str>, form: &str) -> Answer {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
        headers.extend(origin.map(|origin| ("origin", origin)));
        self.send(reqwest::Method::POST, url, &headers, form).await
    }

    pub(super) fn cookie(&self, host: &str, name: &str) -> Option<&(String, String)> {
        self.cookies.get(&(host.to_owned(), name.to_owned()))
    }

    /// The names of the cookies of a host that begin so.
    pub(super) fn names(&self, host: &str, prefix: &str) -> Vec<String> {
        let of_host = self.cookies.keys().filter(|(of, name)| of == host && name.starts_with(prefix));
        of_host.map(|(_, name)| name.clone()).collect()
    }

    async fn send(&mut self, method: reqwest::Method, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let url = Url::parse(url).expect("a URL");
        let host = url.host_str().expect("a host").to_owned();
        let path = &url[url::Position::BeforePath..];
        let mut request = self.client.request(method, format!("{}{path}", self.at));
        request = request.header("host", &url[url::Position::BeforeHost..url::Position::AfterPort]);
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|((of, _), _)| *of == host)
            .map(|((_, name), (value, _))| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.body(body.to_owned()).send().await.expect("an answer");
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        let (status, code, location) = (response.status().as_u16(), header("x-taskgate-denial"), header("location"));
        let headers = response.headers().clone();
        for line in headers.get_all("set-cookie") {
            self.keep(&host, line.to_str().expect("text"));
        }
        let text = response.text().await.expect("text");
        Answer { status, code: code.unwrap_or_default(), location, headers, text }
    }

    /// Keeps a cookie as browsers do (RFC 6265bis), and only in the form that all of ours have.
    fn keep(&mut self, host: &str, line: &str) {
        let (pair, attributes) = line.split_once("; ").expect("attributes");
        let (name, value) = pair.split_once('=').expect("a pair");
        assert!(name.starts_with("__Host-"), "{line}");
        assert!(
            attributes.contains("Secure") && attributes.contains("Path=/;") && !attributes.contains("Domain"),
            "{line}"
        );
        assert!(name.len() + value.len() <= 4_096, "{line}");
        let key = (host.to_owned(), name.to_owned());
        if attributes.contains("Max-Age=0") {
            self.cookies.remove(&key);
        } else if self.keeps_cookies {
            assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"), "{line}");
            self.cookies.insert(key, (value.to_owned(), attributes.to_owned()));
        }
    }
}

impl Answer {
    /// Where it sends the browser.
    pub(super) fn sent_to(&self) -> Url {
        assert_eq!(self.status, 303, "{self:?}");
        Url::parse(self.location.as_deref().expect("a location")).expect("a URL")
    }
}
