// Holds resources against the schemas of Istio, Envoy Gateway, the Gateway API and the Prometheus operator.
//
// validate.mjs DIRECTORY-OF-MODULES < list of resources as JSON: prints what is wrong, and how many it knew.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const modules = `${process.argv[2]}/node_modules/@kubernetes-models`;
const places = {
  "extensions.istio.io/v1alpha1": "istio/extensions.istio.io/v1alpha1/index.js",
  "networking.istio.io/v1alpha3": "istio/networking.istio.io/v1alpha3/index.js",
  "gateway.envoyproxy.io/v1alpha1": "envoy-gateway/gateway.envoyproxy.io/v1alpha1/index.js",
  "gateway.networking.k8s.io/v1": "gateway-api/gateway.networking.k8s.io/v1/index.js",
  "gateway.networking.k8s.io/v1alpha2": "gateway-api/gateway.networking.k8s.io/v1alpha2/index.js",
  "monitoring.coreos.com/v1": "prometheus-operator/monitoring.coreos.com/v1/index.js",
};
let known = 0;
for (const resource of JSON.parse(readFileSync(0, "utf8"))) {
  const place = places[resource.apiVersion];
  const model = place && (await import(pathToFileURL(`${modules}/${place}`)))[resource.kind];
  if (!model) {
    console.log(`unknown: ${resource.apiVersion} ${resource.kind}`);
    continue;
  }
  try {
    new model(resource).validate();
  } catch (error) {
    console.log(`wrong: ${resource.kind} ${resource.metadata.name}: ${String(error.message).slice(0, 500)}`);
  }
  known += 1;
}
console.log(`known: ${known}`);
