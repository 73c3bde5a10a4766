-- Hands the edges of a cluster the state they are to be in, and remembers which of them has which. Run by HAProxy, which lets
-- nobody in without a certificate.

local STATE = "/state/"
local FORGOTTEN_S = 60
local seen = {}

local function read(name)
    local file = io.open(STATE .. name, "rb")
    if not file then return nil end
    local text = file:read("a")
    file:close()
    return text
end

local function header(applet, name)
    local values = applet.headers[name]
    return values and values[0] or ""
end

local function answer(applet, status, body)
    applet:set_status(status)
    if status ~= 204 then applet:add_header("content-length", tostring(#body)) end
    applet:start_response()
    if status ~= 204 then applet:send(body) end
end

core.register_service("state", "http", function(applet)
    local newest = read("newest")
    local has = header(applet, "x-has")
    seen[header(applet, "x-node")] = {at = core.now().sec, has = has, trouble = header(applet, "x-trouble")}
    if not newest then return answer(applet, 503, "") end
    applet:add_header("x-digest", newest)
    if has == newest then return answer(applet, 204, "") end
    local archive = read(newest .. ".tar")
    answer(applet, archive and 200 or 503, archive or "")
end)

core.register_service("told", "http", function(applet)
    local lines, now = {(read("newest") or "") .. "\n"}, core.now().sec
    for node, one in pairs(seen) do
        if now - one.at > FORGOTTEN_S then
            seen[node] = nil
        else
            lines[#lines + 1] = string.format("%s %d %s %s\n", node, now - one.at, one.has == "" and "-" or one.has, one.trouble)
        end
    end
    answer(applet, 200, table.concat(lines))
end)
