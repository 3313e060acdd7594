-- Asks the sidecar about each request, and where the first job of a service takes connections. HAProxy 2.6 or later.
-- Loaded by haproxy.cfg, which does everything else. What goes wrong here permits nothing: the configuration goes on
-- only where `txn.tg_verdict` says so, and this is the only place that sets it.

-- Where haproxy.cfg takes questions to the sidecar. It, and not this, waits and gives up: HAProxy's own client would try
-- four times.
local ASK_AT = "abns@taskgate-ask"
-- Milliseconds; more than haproxy.cfg waits there.
local ASK_TIMEOUT = 10000

-- Seconds. What an address costs that drops packets, once while it is remembered.
local CONNECT_TIMEOUT = 0.5
-- For how long it is remembered that an address takes connections, and that it does not.
local GOOD_SECS = 1
local BAD_SECS = 10
-- How many addresses are remembered at most.
local MAX_REMEMBERED = 10000

-- By this the sidecar knows a WebSocket. Over HTTP/2 clients send none; it is never used as a key.
local WEBSOCKET_KEY = "dGFza2dhdGUtcXVlc3Rpb24="

-- Headers of this hop alone. The sidecar knows a WebSocket by its key.
local OF_THE_HOP = {
  ["connection"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true, ["keep-alive"] = true,
  ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
  -- Whoever sends these speaks for the ingress, and that is us.
  ["x-forwarded-method"] = true, ["x-forwarded-host"] = true, ["x-forwarded-uri"] = true,
  ["x-taskgate-internal"] = true,
}

-- What a permit says, by the variables that haproxy.cfg uses.
local OF_A_PERMIT = {
  ["tg_protocol"] = "x-taskgate-protocol", ["tg_uri"] = "x-taskgate-uri",
  ["tg_edit_cookie"] = "x-taskgate-edit-cookie", ["tg_cookie"] = "x-taskgate-cookie",
  ["tg_edit_authorization"] = "x-taskgate-edit-authorization", ["tg_authorization"] = "x-taskgate-job-authorization",
  ["tg_user"] = "x-forwarded-user", ["tg_email"] = "x-forwarded-email", ["tg_groups"] = "x-forwarded-groups",
  ["tg_arvados"] = "x-arvados-user-uuid", ["tg_assertion"] = "x-taskgate-assertion",
  ["tg_visitor"] = "x-taskgate-visitor",
  ["tg_set_cookie_1"] = "x-taskgate-set-cookie-1", ["tg_set_cookie_2"] = "x-taskgate-set-cookie-2",
  ["tg_service"] = "x-taskgate-service", ["tg_level"] = "x-taskgate-level", ["tg_rule"] = "x-taskgate-rule",
  ["tg_actor"] = "x-taskgate-actor",
}

-- When each address was last seen good or bad.
local remembered, count = {}, 0

local function remember(address, is_good)
  if remembered[address] == nil then
    if count >= MAX_REMEMBERED then
      remembered, count = {}, 0
    end
    count = count + 1
  end
  remembered[address] = { good = is_good, at = core.now().sec }
end

-- true, false, or nil where nothing is remembered.
local function known(address)
  local seen = remembered[address]
  if seen == nil then
    return nil
  end
  local age = core.now().sec - seen.at
  if age < 0 or age > (seen.good and GOOD_SECS or BAD_SECS) then
    return nil
  end
  return seen.good
end

-- `1.2.3.4:80` and `[::1]:80` in two parts.
local function split(address)
  local host, port = string.match(address, "^%[([%x:.]+)%]:(%d+)$")
  if host == nil then
    host, port = string.match(address, "^([%d.]+):(%d+)$")
  end
  return host, tonumber(port)
end

local function connects(address)
  local host, port = split(address)
  if host == nil then
    return false
  end
  local socket = core.tcp()
  socket:settimeout(CONNECT_TIMEOUT)
  local is_good = socket:connect(host, port) ~= nil
  socket:close()
  remember(address, is_good)
  return is_good
end

-- The first that takes connections; those that did not lately come last. Where none does, the first.
local function choose(candidates)
  for _, address in ipairs(candidates) do
    local seen = known(address)
    if seen or (seen == nil and connects(address)) then
      return address
    end
  end
  for _, address in ipairs(candidates) do
    if connects(address) then
      return address
    end
  end
  return candidates[1]
end

-- The one value of a header of an answer.
local function value(answer, name)
  local values = answer.headers and answer.headers[name]
  return values and (values[0] or values[1])
end

local function unavailable(txn)
  local reply = txn:reply({ status = 503, reason = "Service Unavailable" })
  reply:add_header("retry-after", "1")
  reply:add_header("content-type", "text/plain")
  reply:set_body("the gateway can't decide now; try again\n")
  txn:done(reply)
end

local function ask(txn)
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not OF_THE_HOP[name] then
      local lines = {}
      for index = 0, #values do
        lines[#lines + 1] = values[index]
      end
      headers[name] = lines
    end
  end
  -- An HTTP/1.0 client may send none: then the sidecar refuses.
  local host = txn.sf:req_fhdr("host") or ""
  headers["x-forwarded-method"] = { txn.sf:method() }
  headers["x-forwarded-host"] = { host }
  headers["x-forwarded-uri"] = { txn.sf:pathq() }
  if txn:get_var("txn.tg_websocket") then
    headers["sec-websocket-key"] = { WEBSOCKET_KEY }
  end
  return core.httpclient():get({
    url = "http://127.0.0.1/v1/decide?for=haproxy", dst = ASK_AT, headers = headers, timeout = ASK_TIMEOUT,
  })
end

local function refuse(txn, answer)
  local is_grpc = value(answer, "grpc-status") ~= nil
  local reply = txn:reply({ status = is_grpc and 200 or answer.status, reason = answer.reason })
  for name, values in pairs(answer.headers or {}) do
    if not OF_THE_HOP[name] and name ~= "date" then
      for index = 0, #values do
        if values[index] then
          reply:add_header(name, values[index])
        end
      end
    end
  end
  reply:set_body(answer.body or "")
  txn:done(reply)
end

core.register_action("taskgate", { "http-req" }, function(txn)
  local asked, answer = pcall(ask, txn)
  if not asked or answer == nil or answer.status == nil or answer.status < 200 then
    return unavailable(txn)
  end
  -- Without a reason it is HAProxy's own word for a sidecar that is not there.
  if answer.status >= 500 and value(answer, "x-taskgate-denial") == nil then
    return unavailable(txn)
  end
  -- A gRPC client is refused with 200 and a status of its own: what permits is an address.
  if answer.status ~= 200 or value(answer, "x-taskgate-upstream") == nil then
    return refuse(txn, answer)
  end
  local candidates = {}
  for _, name in ipairs({ "x-taskgate-upstream", "x-taskgate-next", "x-taskgate-third" }) do
    local address = value(answer, name)
    if address and split(address) then
      candidates[#candidates + 1] = address
    end
  end
  if #candidates == 0 or value(answer, "x-taskgate-uri") == nil then
    return unavailable(txn)
  end
  local host, port = split(choose(candidates))
  for variable, name in pairs(OF_A_PERMIT) do
    local text = value(answer, name)
    if text then
      txn:set_var("txn." .. variable, text)
    end
  end
  -- Headers of the client that only we may say, in whatever spelling it sent them.
  for name in string.gmatch(value(answer, "x-taskgate-remove") or "", "[^,%s]+") do
    txn.http:req_del_header(name)
  end
  txn:set_var("txn.tg_address", host)
  txn:set_var("txn.tg_port", port)
  -- Last: what went wrong before permits nothing.
  txn:set_var("txn.tg_verdict", "permit")
end, 0)
