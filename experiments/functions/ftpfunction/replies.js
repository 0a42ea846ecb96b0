'use strict';

// The replies of an FTP server on its control connection (RFC 959, section 4.2): a code and a text, on one line or many.

class FtpError extends Error {}

class Replies {
  #buffer = '';
  #ready = [];
  #waiting = [];
  #ended = null;
  #many = null;

  constructor(socket) {
    socket.setEncoding('latin1');
    socket.on('data', (text) => this.#take(text));
    socket.on('error', (error) => this.#end(`the FTP connection broke: ${error.code || error.message}`));
    socket.on('close', () => this.#end('the FTP server closed the connection'));
  }

  /**
   * The next reply, which must have one of these codes.
   * @param {string} asked what it answers, for the error; must hold no secret
   * @throws {FtpError} another code, or the connection ended. The server's own words are not repeated: it may echo ours.
   */
  async expect(codes, asked) {
    const reply = await this.#next();
    if (!codes.includes(reply.code)) throw new FtpError(`the FTP server answered ${reply.code} to ${asked}`);
    return reply;
  }

  /** The reply to QUIT; a server that just hangs up is fine as well. */
  async farewell() {
    await this.#next().catch(() => {});
  }

  #next() {
    if (this.#ready.length) return Promise.resolve(this.#ready.shift());
    if (this.#ended) return Promise.reject(new FtpError(this.#ended));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #take(text) {
    this.#buffer += text;
    for (let end = this.#buffer.indexOf('\n'); end >= 0 && !this.#ended; end = this.#buffer.indexOf('\n')) {
      const line = this.#buffer.slice(0, end).replace(/\r$/, '');
      this.#buffer = this.#buffer.slice(end + 1);
      this.#line(line);
    }
    if (this.#buffer.length > 65_536) this.#end('the FTP server sent a line without an end');
  }

  #line(line) {
    if (this.#many) {
      // "123-" opens a reply of many lines; only "123 " with the same code closes it.
      this.#many.text += `\n${line}`;
      if (line.startsWith(`${this.#many.code} `)) {
        this.#give(this.#many);
        this.#many = null;
      }
      return;
    }
    const match = /^([1-5]\d\d)([ -]|$)(.*)$/.exec(line);
    if (!match) {
      this.#end('what answers there does not speak FTP');
      return;
    }
    const reply = { code: Number(match[1]), text: match[3] };
    if (match[2] === '-') this.#many = reply;
    else this.#give(reply);
  }

  #give(reply) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve(reply);
    else this.#ready.push(reply);
  }

  #end(reason) {
    this.#ended ??= reason;
    for (const { reject } of this.#waiting.splice(0)) reject(new FtpError(this.#ended));
  }
}

module.exports = { FtpError, Replies };
