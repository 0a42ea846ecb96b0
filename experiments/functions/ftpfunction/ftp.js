'use strict';

// Download one file by FTP in passive mode (RFC 959; EPSV of RFC 2428), on Node.js alone.

const net = require('node:net');

const { FtpError, Replies } = require('./replies.js');

/**
 * @param {{host: string, port: number, user: string, password: string, timeoutMs: number}} server the time is for all
 * @returns {Promise<number>} how many bytes the file had
 * @throws {FtpError} with what went wrong; never with the password
 */
async function download(server, file) {
  for (const [name, value] of Object.entries({ user: server.user, password: server.password, file })) {
    if (/[\r\n\0]/.test(value)) throw new FtpError(`the ${name} holds a line break, which FTP can't carry`);
  }
  const sockets = new Set();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new FtpError(`FTP took more than ${Math.round(server.timeoutMs / 1000)} s`));
    }, server.timeoutMs);
  });
  try {
    return await Promise.race([session(server, file, sockets), late]);
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
  }
}

async function session(server, file, sockets) {
  const control = await connect(server.host, server.port, sockets);
  const replies = new Replies(control);
  const command = (line, wanted, shown = line) => {
    control.write(`${line}\r\n`);
    return replies.expect(wanted, shown);
  };

  await replies.expect([220], 'the connection');
  await login(command, server);
  await command('TYPE I', [200]);

  const data = await connect(control.remoteAddress, await passivePort(command), sockets);
  // Listened to from the start: the transfer may fail, or end, before the reply that announces it.
  const counted = count(data);
  await command(`RETR ${file}`, [125, 150]);
  const bytes = await counted;
  // Only this says that the server, too, thinks the file is whole.
  await replies.expect([226, 250], `RETR ${file}`);
  control.write('QUIT\r\n');
  await replies.farewell();
  return bytes;
}

async function login(command, { user, password }) {
  const reply = await command(`USER ${user}`, [230, 331], 'USER');
  if (reply.code === 331) await command(`PASS ${password}`, [202, 230], 'PASS');
}

/** The port for the data connection; its host is always the one we talk to, whatever PASV names (NAT, bounce attacks). */
async function passivePort(command) {
  const extended = await command('EPSV', [229, 500, 501, 502, 503, 504, 522]);
  if (extended.code === 229) {
    const match = /\((.)\1\1(\d{1,5})\1\)/.exec(extended.text);
    if (match) return validPort(Number(match[2]), 'EPSV');
  }
  const { text } = await command('PASV', [227]);
  const match = /(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)/.exec(text);
  if (!match) throw new FtpError('the FTP server named no port in its answer to PASV');
  return validPort(Number(match[5]) * 256 + Number(match[6]), 'PASV');
}

function validPort(port, verb) {
  if (port < 1 || port > 65535) throw new FtpError(`the FTP server named port ${port} in its answer to ${verb}`);
  return port;
}

function connect(host, port, sockets) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, noDelay: true });
    sockets.add(socket);
    socket.once('connect', () => resolve(socket));
    socket.on('error', (error) => reject(new FtpError(`no FTP at ${host}:${port}: ${error.code || error.message}`)));
  });
}

function count(socket) {
  const counted = new Promise((resolve, reject) => {
    let bytes = 0;
    socket.on('data', (chunk) => { bytes += chunk.length; });
    socket.on('end', () => resolve(bytes));
    socket.on('error', (error) => reject(new FtpError(`the FTP data connection broke: ${error.code}`)));
  });
  // When RETR is refused, nobody waits for the count any more.
  counted.catch(() => {});
  return counted;
}

module.exports = { download, FtpError };
