// Uploads a file with tus-js-client: `client.cjs PLACE FILE`, where PLACE is a JSON object of its options (`endpoint`
// to create an upload, `uploadUrl` to go on with one). Says what came of it: `done`, or `refused` and the status.

const fs = require("node:fs");
const tus = require("tus-js-client");

const [place, path] = process.argv.slice(2);
const upload = new tus.Upload(fs.createReadStream(path), {
  chunkSize: 3 << 20,
  retryDelays: Array(20).fill(50),
  uploadSize: fs.statSync(path).size,
  ...JSON.parse(place),
  onSuccess: () => console.log("done"),
  onError: (error) => console.log("refused", error.originalResponse?.getStatus()),
});
upload.start();
