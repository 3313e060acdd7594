//! A cluster that is reached by TLS, as every real one, with a certificate of an authority of its own.

use std::sync::Arc;

use taskgate_test_kit::Certificates;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::cluster::{Cluster, Phase, TOKEN};
use super::stage::{Stage, file, kubeconfig, row};

const NAME: &str = "cluster.test";

/// Takes TLS connections for a server that has none; where.
async fn serve(cluster: &Cluster, certificates: &Certificates) -> String {
    let chain = CertificateDer::pem_file_iter(certificates.certificate()).expect("certificates");
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_file(certificates.key()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).expect("they fit")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let plain = cluster.url.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not believe the certificate goes away.
            let Ok(mut secure) = acceptor.accept(stream).await else { continue };
            let mut plain = TcpStream::connect(&plain).await.expect("connects");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut secure, &mut plain).await });
        }
    });
    format!("https://{address}")
}

#[tokio::test]
async fn a_cluster_is_known_by_its_own_authority_and_no_other() {
    let certificates = Certificates::new(&[NAME]).expect("certificates");
    for is_known in [true, false] {
        let cluster = Cluster::start().await;
        cluster.add("pod", Phase::Succeeded, &["main"]);
        cluster.write("pod", "one");
        let mut config = kubeconfig(&serve(&cluster, &certificates).await, TOKEN);
        let server = &mut config["clusters"][0]["cluster"];
        server["tls-server-name"] = NAME.into();
        if is_known {
            server["certificate-authority"] = certificates.authorities().to_str().expect("text").into();
        }
        let stage = Stage::start_with(cluster, &file(&[("r", row("pod"))]), Some(&config.to_string())).await;
        let answer = stage.ask("ann", "r").await;
        if is_known {
            assert!(answer.status == 200 && answer.text.ends_with(" one\n"), "{answer:?}");
        } else {
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(stage.cluster.asked(), [""; 0], "no token is shown to a stranger");
            stage.has_logged("certificate").await;
        }
    }
}
