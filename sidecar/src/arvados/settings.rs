//! The settings of an Arvados provider.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use crate::arvados::network::Network;
use crate::arvados::token::Token;
use crate::config::arvados::{ArvadosControllerConfig, ArvadosProviderConfig, ControllerToken, PeopleBy, PrivateLevel};
use crate::config::resolve::{Files, InvalidSetting, within};
use crate::digest::Digest;
use crate::http;
use crate::http::reach::Reach;
use crate::secret::SecretText;

/// The most requests that a controller may be asked at once.
const MAX_REQUESTS: usize = 1_000;
/// The most networks that can be listed.
const MAX_NETWORKS: usize = 256;

/// How a cluster is reached, and as whom.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Its API, without a path.
    pub api: Url,
    /// The operator's token.
    pub token: Token,
    /// Whom to trust there, and how long to wait.
    pub reach: Reach,
    /// Differs between any two clusters, tokens or authorities.
    pub fingerprint: Digest,
}

/// The settings of an Arvados provider.
#[derive(Clone, Debug)]
pub struct ArvadosSettings {
    /// The provider's name.
    pub name: String,
    /// The cluster.
    pub cluster: ClusterSettings,
    /// The anonymous user's token.
    pub anonymous: Option<Token>,
    /// How long a round may take.
    pub round: Duration,
    /// How often containers are looked at.
    pub period: Duration,
    /// Whether containers that have not started yet are listed.
    pub starting: bool,
    /// What a private port asks for.
    pub private: PrivateLevel,
    /// Whether a port can be open to all.
    pub public: bool,
    /// Whether administrators may use everything.
    pub admins: bool,
    /// By what people are found who came another way.
    pub people: PeopleBy,
    /// Whether ports that are not published can be services.
    pub unpublished: bool,
    /// The networks whose addresses are taken.
    pub addresses: Vec<Network>,
    /// The way through the controller.
    pub controller: Option<ControllerSettings>,
    /// Differs between any two settings.
    pub fingerprint: Digest,
}

/// The way through the controller.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// Whose token it is shown.
    pub token: ControllerToken,
    /// `ExternalURL`; none: as the cluster says.
    pub external_url: Option<String>,
    /// Where it is reached; none: by name.
    pub connect: Option<String>,
    /// The address that requests come to.
    pub listen: IpAddr,
    /// How long a request may take.
    pub max: Duration,
    /// How many requests it may be busy with at once.
    pub max_requests: usize,
}

impl ClusterSettings {
    fn resolve(key: &str, config: &ArvadosProviderConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        let api = api(&config.api).map_err(|reason| InvalidSetting::new(format!("{key}.api"), reason))?;
        let token_key = format!("{key}.token");
        let token = files
            .secret(&token_key, config.token.clone(), config.token_file.as_deref())?
            .ok_or_else(|| InvalidSetting::new(&token_key, "set `token_file`: containers are listed with it"))?;
        let token = Token::parse(token.expose())
            .ok_or_else(|| InvalidSetting::new(&token_key, "has characters that no token of Arvados has"))?;
        let reach = Reach::resolve(key, config.authorities_file.as_deref(), config.timeout_ms, files)?;
        let secret = token.secret().expose().as_bytes();
        let fingerprint = Digest::of_parts(&[api.as_str().as_bytes(), secret, reach.fingerprint.as_bytes()]);
        Ok(Self { api, token, reach, fingerprint })
    }
}

impl ArvadosSettings {
    /// Checks the configuration of a provider and reads what it points to.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(key: &str, config: ArvadosProviderConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        let cluster = ClusterSettings::resolve(key, &config, files)?;
        let anonymous_key = format!("{key}.anonymous_token");
        let anonymous = files.secret(&anonymous_key, None, config.anonymous_token_file.as_deref())?;
        let unusable = || InvalidSetting::new(&anonymous_key, "has characters that no token of Arvados has");
        let anonymous = anonymous.map(|token| Token::parse(token.expose()).ok_or_else(unusable)).transpose()?;
        let round = within(&format!("{key}.round_secs"), config.round_secs, 1, 3_600)?;
        let period = within(&format!("{key}.poll_secs"), config.poll_secs, 1, 86_400)?;
        if config.addresses.len() > MAX_NETWORKS {
            let reason = format!("more than {MAX_NETWORKS} networks");
            return Err(InvalidSetting::new(format!("{key}.addresses"), reason));
        }
        let network = |(index, text): (usize, &String)| {
            Network::parse(text)
                .map_err(|error| InvalidSetting::new(format!("{key}.addresses[{index}]"), error.to_string()))
        };
        let addresses = config.addresses.iter().enumerate().map(network).collect::<Result<Vec<_>, _>>()?;
        let text = format!("{config:?}");
        let controller = config
            .controller
            .map(|controller| ControllerSettings::resolve(&format!("{key}.controller"), controller))
            .transpose()?;
        let secret = anonymous.as_ref().map_or("", |token| SecretText::expose(token.secret()));
        let fingerprint = Digest::of_parts(&[text.as_bytes(), cluster.fingerprint.as_bytes(), secret.as_bytes()]);
        Ok(Self {
            name: config.name,
            cluster,
            anonymous,
            round,
            period,
            starting: config.starting,
            private: config.private,
            public: config.public,
            admins: config.admins,
            people: config.people,
            unpublished: config.unpublished,
            addresses,
            controller,
            fingerprint,
        })
    }
}

impl ControllerSettings {
    fn resolve(key: &str, config: ArvadosControllerConfig) -> Result<Self, InvalidSetting> {
        let listen = config
            .listen
            .parse()
            .map_err(|_| InvalidSetting::new(format!("{key}.listen"), "is no IP address without a port"))?;
        if let Some(url) = &config.external_url
            && crate::arvados::relay::origin::Origins::parse(url).is_none()
        {
            let reason = "is no address with one `*` at its start, as in `https://*.containers.example.test/`";
            return Err(InvalidSetting::new(format!("{key}.external_url"), reason));
        }
        let max = within(&format!("{key}.max_secs"), config.max_secs, 1, 86_400)?;
        if !(1..=MAX_REQUESTS).contains(&config.max_requests) {
            let reason = format!("is not between 1 and {MAX_REQUESTS}");
            return Err(InvalidSetting::new(format!("{key}.max_requests"), reason));
        }
        Ok(Self {
            token: config.token,
            external_url: config.external_url,
            connect: config.connect,
            listen,
            max,
            max_requests: config.max_requests,
        })
    }
}

/// The API's address: a path would be forgotten.
fn api(text: &str) -> Result<Url, String> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = http::parse_url(&whole).map_err(|error| error.to_string())?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("has a path; write the API's address alone, as in `https://zzzzz.example.test`".into());
    }
    Ok(url)
}
